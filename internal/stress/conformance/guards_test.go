package conformance

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/guard"
)

// wrapDo replaces guarded calls; refused reports whether the circuit refused the call. It
// is safe for concurrent use.
func wrapDo(change func(f func(context.Context) error, refused bool, err error) error) CallWrap {
	return func(g Calls) Calls {
		do := g.Do
		g.Do = func(ctx context.Context, target string, f func(context.Context) error) error {
			err := do(ctx, target, f)
			return change(f, errors.Is(err, mabeam.ErrCircuitOpen), err)
		}
		return g
	}
}

// A guard that breaks one rule is detected, and the rule is named.
func TestGuardsThatBreakTheirRules(t *testing.T) {
	for name, c := range map[string]struct {
		reported string
		wrap     CallWrap
	}{
		"right": {"", nil},
		"a fifth too many": {"admits more than its tokens", func(g Calls) Calls {
			allow, admitted, extra := g.Allow, 0, 0
			g.Allow = func(kind guard.Operation) error {
				err := allow(kind)
				if err == nil {
					admitted++
				} else if extra < admitted/5 {
					extra++
					return nil
				}
				return err
			}
			return g
		}},
		"a tenth too few": {"admits less than its tokens", func(g Calls) Calls {
			allow, n := g.Allow, 0
			g.Allow = func(kind guard.Operation) error {
				err := allow(kind)
				if n++; err == nil && n%10 == 0 {
					return mabeam.ErrRateLimited
				}
				return err
			}
			return g
		}},
		"another error": {"refused with another error than ErrRateLimited", func(g Calls) Calls {
			allow := g.Allow
			g.Allow = func(kind guard.Operation) error {
				if allow(kind) != nil {
					return mabeam.ErrLimitReached
				}
				return nil
			}
			return g
		}},
		"one start too many": {"7 of 10 starts are admitted", func(g Calls) Calls {
			start, once := g.Start, true
			g.Start = func(ctx context.Context, spec mabeam.Spec) (string, error) {
				id, err := start(ctx, spec)
				if errors.Is(err, mabeam.ErrRateLimited) && once {
					once = false
					return "admitted", nil
				}
				return id, err
			}
			return g
		}},
		"events that do not wait": {"do not wait for a token", func(g Calls) Calls {
			publish := g.Publish
			g.Publish = func(ctx context.Context, e mabeam.Event) error {
				limited, cancel := context.WithTimeout(ctx, time.Nanosecond)
				defer cancel()
				if err := publish(limited, e); errors.Is(err, mabeam.ErrRateLimited) {
					return nil
				}
				return publish(ctx, e)
			}
			return g
		}},
		"a circuit that opens late": {"is not refused with ErrCircuitOpen", func() CallWrap {
			once := true
			return wrapDo(func(f func(context.Context) error, refused bool, err error) error {
				if refused && once {
					once = false
					return f(context.Background())
				}
				return err
			})
		}()},
		"a circuit that never closes": {"a circuit is not closed after successful trials", func(g Calls) Calls {
			do, mu, open, trials := g.Do, sync.Mutex{}, false, 0
			g.Do = func(ctx context.Context, target string, f func(context.Context) error) error {
				mu.Lock()
				never := trials == circuitTrials
				mu.Unlock()
				if never {
					return mabeam.ErrCircuitOpen
				}
				err := do(ctx, target, f)
				mu.Lock()
				defer mu.Unlock()
				open = open || errors.Is(err, mabeam.ErrCircuitOpen)
				if open && err == nil {
					trials++
				}
				return err
			}
			return g
		}},
		"a half-open circuit that lets all through": {"with 2 concurrent trials allowed, 5 are admitted", func(g Calls) Calls {
			do, opened, mu := g.Do, time.Time{}, sync.Mutex{}
			g.Do = func(ctx context.Context, target string, f func(context.Context) error) error {
				err := do(ctx, target, f)
				if !errors.Is(err, mabeam.ErrCircuitOpen) {
					return err
				}
				mu.Lock()
				if opened.IsZero() {
					opened = time.Now()
				}
				tried := time.Since(opened) >= 50*time.Millisecond && time.Since(opened) < 60*time.Millisecond
				mu.Unlock()
				if tried {
					return f(ctx)
				}
				return err
			}
			return g
		}},
		"a mailbox that takes one more": {"a mailbox of 16 accepts 17", func(g Calls) Calls {
			tell, once := g.Tell, true
			g.Tell = func(ctx context.Context, id, action string, params any) error {
				err := tell(ctx, id, action, params)
				if n, ok := params.(int); ok && n == 16 && once {
					once = false
					return nil
				}
				return err
			}
			return g
		}},
		"a deadline that is 51 ms late": {"Execute returns more than 30ms after its deadline", func(g Calls) Calls {
			execute := g.Execute
			g.Execute = func(ctx context.Context, id, action string, params any) (any, error) {
				got, err := execute(ctx, id, action, params)
				if errors.Is(err, mabeam.ErrTimeout) {
					time.Sleep(51 * time.Millisecond)
				}
				return got, err
			}
			return g
		}},
		"mailboxes that are never full": {"1000 calls found room", func(g Calls) Calls {
			tell := g.Tell
			g.Tell = func(ctx context.Context, id, action string, params any) error {
				if params == nil {
					return nil
				}
				return tell(ctx, id, action, params)
			}
			return g
		}},
		"a deadline that is not waited for": {"Tell returns before its deadline", func(g Calls) Calls {
			tell := g.Tell
			g.Tell = func(ctx context.Context, id, action string, params any) error {
				limited, cancel := context.WithTimeout(ctx, time.Millisecond)
				defer cancel()
				return tell(limited, id, action, params)
			}
			return g
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limited, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				var r results
				if err := CheckGuards(limited, &r, mabeam.Options{}, c.wrap); err != nil {
					t.Fatal(err)
				}
				broken := "guard_rules_broken"
				if strings.Contains(c.reported, "returns more than") {
					broken = "deadlines_missed"
				}
				for _, name := range []string{"guard_rules_broken", "deadlines_missed"} {
					if v, ok := r.values[name]; !ok || (v > 0) != (c.reported != "" && name == broken) {
						t.Errorf("%s: %v, reported %v; %v", name, v, ok, r.details)
					}
				}
				reported := slices.ContainsFunc(slices.Collect(maps.Keys(r.details)), func(message string) bool {
					return strings.HasPrefix(message, broken+": ") && strings.Contains(message, c.reported)
				})
				if c.reported != "" && !reported {
					t.Errorf("details %v, want %q", r.details, c.reported)
				}
			})
		})
	}
}
