package eventbus

import (
	"context"
	"testing"
	"testing/synctest"

	mabeam "mabeam-top/internal/runtime"
)

// results are what checks have recorded.
type results struct {
	values  map[string]float64
	details []string
}

func (r *results) Value(metric string, v float64) { r.values[metric] = v }

func (r *results) Detail(message string, _ int64) { r.details = append(r.details, message) }

func (r *results) Finding(message string, _ int64) { r.details = append(r.details, message) }

func (r *results) Inconclusive(why string) { r.details = append(r.details, why) }

// A healthy bus keeps all rules, whatever its options. If they are not those of the
// system, a rule is broken.
func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		options, stated mabeam.Options
		broken          float64
	}{
		"defaults":                             {},
		"small mailboxes":                      {options: mabeam.Options{Mailbox: 3}, stated: mabeam.Options{Mailbox: 3}},
		"short queue":                          {options: mabeam.Options{BusQueue: 16}, stated: mabeam.Options{BusQueue: 16}},
		"drop-oldest":                          {options: mabeam.Options{BusPolicy: mabeam.DropOldest}, stated: mabeam.Options{BusPolicy: mabeam.DropOldest}},
		"a history that is longer than stated": {stated: mabeam.Options{History: 5}, broken: 1},
		"a queue that is shorter than stated":  {options: mabeam.Options{BusQueue: 16}, broken: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				system, err := mabeam.Start(t.Context(), c.options)
				if err != nil {
					t.Fatal(err)
				}
				defer func() {
					if err := system.Stop(context.Background()); err != nil {
						t.Error(err)
					}
				}()
				r := results{values: map[string]float64{}}
				if wrong := CheckPatterns(t.Context(), &r, system.Bus()); wrong != 0 {
					t.Errorf("%d deliveries to patterns are wrong", wrong)
				}
				Check(t.Context(), &r, system, c.stated, false)
				if got := r.values["bus_rules_broken"]; got != c.broken || float64(len(r.details)) != c.broken {
					t.Errorf("%v rules are broken, want %v; %v", got, c.broken, r.details)
				}
			})
		})
	}
}
