// Package openmetrics serves what is known of a run while it runs, as a page
// that Prometheus and its like read.
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

// stopWithin is how long answers that are being given may take when the page
// ends.
const stopWithin = time.Second

// openMetricsType is what is asked for on behalf of those who do not care.
const openMetricsType = "application/openmetrics-text; version=1.0.0"

// A Page folds the events of a run and serves what it came to so far, on
// /metrics. Of several runs one after the other it tells the latest. Events may
// be added while it serves.
type Page struct {
	listener net.Listener
	counters []string
	timeline atomic.Pointer[fold.Timeline]
}

// Listen takes the address, so that one which is in use is known at once: PORT,
// :PORT or HOST:PORT. Without a host nobody but this machine can ask. Port 0 is
// any that is free. Counters are the names of the probes that only grow, until what
// they count in is replaced by a fresh one: a system with each repetition, a process
// with each that dies. A reader of counters takes one that falls for one that has begun
// anew. Run serves, and must be called.
func Listen(ctx context.Context, address string, counters []string) (*Page, error) {
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
	p := &Page{listener: listener, counters: counters}
	p.timeline.Store(&fold.Timeline{})
	return p, nil
}

// URL is where the page is.
func (p *Page) URL() string { return "http://" + p.listener.Addr().String() + "/metrics" }

// Add takes the next event in.
func (p *Page) Add(e stream.Event) {
	if e.Type == stream.RunStarted {
		p.timeline.Store(&fold.Timeline{})
	}
	p.timeline.Load().Add(e)
}

// Run serves the page until ctx ends. It returns when nothing is served any
// more.
func (p *Page) Run(ctx context.Context) error {
	server := &http.Server{Handler: p.handler(), ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(p.listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve metrics: %w", err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if server.Shutdown(stopping) != nil {
		_ = server.Close() // whoever is still reading has had time
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}

// handler answers requests for the page.
func (p *Page) handler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{p}) // it describes nothing that could clash
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
