// Package openmetrics serves the state of a run while it runs, as a page that
// Prometheus can scrape.
package openmetrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/stream"
)

// shutdownTimeout is the time that open requests get when the page stops.
const shutdownTimeout = time.Second

// openMetricsType is the content type for clients that do not ask for one.
const openMetricsType = "application/openmetrics-text; version=1.0.0"

// A Page folds the events of a run and serves the current state on /metrics. With
// several runs in a row it serves the latest. Events may be added while it serves.
type Page struct {
	listener net.Listener
	timeline atomic.Pointer[fold.Timeline]
}

// Listen opens the address, so that the caller learns at once if it is in use: PORT,
// :PORT or HOST:PORT. Without a host, only this machine can connect. Port 0 selects a
// free port. The caller must call Run.
func Listen(ctx context.Context, address string) (*Page, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = "", address
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return nil, fmt.Errorf("expected PORT, :PORT or HOST:PORT such as :9090, not %q", address)
	} else if port = strconv.FormatUint(n, 10); host == "" {
		host = "127.0.0.1"
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("serve metrics: %w", err)
	}
	p := &Page{listener: listener}
	p.timeline.Store(&fold.Timeline{})
	return p, nil
}

// URL returns the address of the page.
func (p *Page) URL() string { return "http://" + p.listener.Addr().String() + "/metrics" }

// Add adds the next event of the run.
func (p *Page) Add(e stream.Event) {
	if e.Type == stream.RunStarted {
		p.timeline.Store(&fold.Timeline{})
	}
	p.timeline.Load().Add(e)
}

// Run serves the page until ctx is done. It returns after the server has stopped.
func (p *Page) Run(ctx context.Context) error {
	server := &http.Server{Handler: p.handler(), ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(p.listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve metrics: %w", err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if server.Shutdown(stopping) != nil {
		_ = server.Close() // clients that still read have had their time
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}

// handler serves the page.
func (p *Page) handler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{p}) // describes nothing, so it cannot conflict
	page := promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true, ErrorHandling: promhttp.ContinueOnError})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		if accept := r.Header.Get("Accept"); accept == "" || accept == "*/*" {
			r.Header.Set("Accept", openMetricsType)
		}
		page.ServeHTTP(w, r)
	})
	return mux
}
