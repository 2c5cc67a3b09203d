package measure

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/guard"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
)

// withGuardedCalls returns the catalogue with process-limit checking only the guards.
func withGuardedCalls(wrap callWrap) stress.Catalogue {
	return withRun("process-limit", func(ctx context.Context, env *stress.Env) error {
		env.Operations(1, 0, 0)
		return checkGuards(ctx, env, wrap)
	})
}

// wrapDo replaces guarded calls; refused reports whether the circuit refused the call. It
// is safe for concurrent use.
func wrapDo(change func(f func(context.Context) error, refused bool, err error) error) callWrap {
	return func(g systemCalls) systemCalls {
		do := g.do
		g.do = func(ctx context.Context, target string, f func(context.Context) error) error {
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
		wrap     callWrap
	}{
		"right": {"", nil},
		"a fifth too many": {"admits more than its tokens", func(g systemCalls) systemCalls {
			allow, admitted, extra := g.allow, 0, 0
			g.allow = func(kind guard.Operation) error {
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
		"a tenth too few": {"admits less than its tokens", func(g systemCalls) systemCalls {
			allow, n := g.allow, 0
			g.allow = func(kind guard.Operation) error {
				err := allow(kind)
				if n++; err == nil && n%10 == 0 {
					return mabeam.ErrRateLimited
				}
				return err
			}
			return g
		}},
		"another error": {"refused with another error than ErrRateLimited", func(g systemCalls) systemCalls {
			allow := g.allow
			g.allow = func(kind guard.Operation) error {
				if allow(kind) != nil {
					return mabeam.ErrLimitReached
				}
				return nil
			}
			return g
		}},
		"one start too many": {"7 of 10 starts are admitted", admitting(mabeam.ErrRateLimited, 1)},
		"events that do not wait": {"do not wait for a token", func(g systemCalls) systemCalls {
			publish := g.publish
			g.publish = func(ctx context.Context, e mabeam.Event) error {
				limited, cancel := context.WithTimeout(ctx, time.Nanosecond)
				defer cancel()
				if err := publish(limited, e); errors.Is(err, mabeam.ErrRateLimited) {
					return nil
				}
				return publish(ctx, e)
			}
			return g
		}},
		"a circuit that opens late": {"is not refused with ErrCircuitOpen", func() callWrap {
			once := true
			return wrapDo(func(f func(context.Context) error, refused bool, err error) error {
				if refused && once {
					once = false
					return f(context.Background())
				}
				return err
			})
		}()},
		"a circuit that never closes": {"a circuit is not closed after successful trials", func(g systemCalls) systemCalls {
			do, mu, open, trials := g.do, sync.Mutex{}, false, 0
			g.do = func(ctx context.Context, target string, f func(context.Context) error) error {
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
		"a half-open circuit that lets all through": {"with 2 concurrent trials allowed, 5 are admitted", func(g systemCalls) systemCalls {
			do, opened, mu := g.do, time.Time{}, sync.Mutex{}
			g.do = func(ctx context.Context, target string, f func(context.Context) error) error {
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
		"a mailbox that takes one more": {"a mailbox of 16 accepts 17", func(g systemCalls) systemCalls {
			tell, once := g.tell, true
			g.tell = func(ctx context.Context, id, action string, params any) error {
				err := tell(ctx, id, action, params)
				if n, ok := params.(int); ok && n == 16 && once {
					once = false
					return nil
				}
				return err
			}
			return g
		}},
		"a deadline that is 51 ms late": {"Execute returns more than 30ms after its deadline", func(g systemCalls) systemCalls {
			execute := g.execute
			g.execute = func(ctx context.Context, id, action string, params any) (any, error) {
				got, err := execute(ctx, id, action, params)
				if errors.Is(err, mabeam.ErrTimeout) {
					time.Sleep(51 * time.Millisecond)
				}
				return got, err
			}
			return g
		}},
		"mailboxes that are never full": {"1000 calls found room", func(g systemCalls) systemCalls {
			tell := g.tell
			g.tell = func(ctx context.Context, id, action string, params any) error {
				if params == nil {
					return nil
				}
				return tell(ctx, id, action, params)
			}
			return g
		}},
		"a deadline that is not waited for": {"Tell returns before its deadline", func(g systemCalls) systemCalls {
			tell := g.tell
			g.tell = func(ctx context.Context, id, action string, params any) error {
				limited, cancel := context.WithTimeout(ctx, time.Millisecond)
				defer cancel()
				return tell(limited, id, action, params)
			}
			return g
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := runStep(t, withGuardedCalls(c.wrap), "", "{measure: process-limit, baseline: none}")
				broken := "guard_rules_broken"
				if strings.Contains(c.reported, "returns more than") {
					broken = "deadlines_missed"
				}
				for _, name := range []string{"guard_rules_broken", "deadlines_missed"} {
					if m := s.Metrics[name]; (m.Status == report.StatusFail) != (c.reported != "" && name == broken) {
						t.Errorf("%s: %v, %s; %+v", name, m.Value, m.Status, s.Errors)
					}
				}
				reported := slices.ContainsFunc(s.Errors, func(e report.Error) bool {
					return strings.Contains(e.Message, broken+": ") && strings.Contains(e.Message, c.reported)
				})
				if c.reported != "" && !reported {
					t.Errorf("errors %+v, want %q", s.Errors, c.reported)
				}
			})
		})
	}
}
