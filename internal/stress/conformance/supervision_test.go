package conformance

import (
	"context"
	"testing"
	"testing/synctest"

	"mabeam-top/internal/runtime/supervision"
)

// A supervised group whose children did not start as often as expected is a violation.
func TestWrongLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r results
		broken := NewChecker(&r, "supervision_rules_broken")
		err := withFixture(t.Context(), broken, 1, func(ctx context.Context, f *fixture) error {
			g, err := startSupervisedGroup(ctx, f, "group", supervision.Spec{})
			if err != nil {
				return err
			}
			g.kill(1)
			g.expectStarts(ctx, "right", 1, 2, 1)
			g.expectStarts(ctx, "wrong", 1, 2, 2)
			g.expectStarts(ctx, "wrong", 1, 1, 1)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		broken.Report()
		r.want(t, "supervision_rules_broken", 2)
	})
}
