package coordination

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/mabeamtest"
)

func TestPipeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		hold := make(chan struct{})
		defer close(hold)
		var d diary
		startNamed(t, s, []string{"a", "b", "c", "fails", "panics", "hangs"}, func(id, _ string, params any) (any, error) {
			d.note(id)
			switch id {
			case "fails":
				return nil, errOwn
			case "panics":
				panic(errOwn)
			case "hangs":
				<-hold
			}
			before, _ := params.(string)
			return before + id, nil
		})
		for _, c := range []struct {
			ids   []string
			want  any
			stage int
			err   error
		}{
			{[]string{"a"}, "-a", 0, nil},
			{[]string{"a", "b", "c"}, "-abc", 0, nil},
			{[]string{"c", "a", "b"}, "-cab", 0, nil},
			{[]string{"a", "b", "fails", "c"}, nil, 2, errOwn},
			{[]string{"nobody", "a"}, nil, 0, mabeam.ErrUnknownAgent},
			{[]string{"a", "hangs", "b"}, nil, 1, mabeam.ErrTimeout},
			{[]string{"a", "panics"}, nil, 1, errOwn},
			{[]string{"a", "panics", "b"}, nil, 1, mabeam.ErrUnknownAgent},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			got, err := Pipeline(ctx, s, c.ids, "x", "-")
			cancel()
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("%v: %v, %v; want %v, %v", c.ids, got, err, c.want, c.err)
			}
			asked := d.take()
			want := c.ids
			if c.err != nil {
				var stage *StageError
				var action *mabeam.ActionError
				if !errors.As(err, &stage) || stage.Stage != c.stage || !errors.As(err, &action) || action.Agent != c.ids[c.stage] {
					t.Errorf("%v: %v, want stage %d", c.ids, err, c.stage)
				}
				want = slices.Clone(c.ids[:c.stage+1])
				if errors.Is(c.err, mabeam.ErrUnknownAgent) {
					want = want[:c.stage]
				}
			}
			if len(asked)+len(want) > 0 && !reflect.DeepEqual(asked, want) {
				t.Errorf("%v: asked %v, want %v", c.ids, asked, want)
			}
		}
		if n := s.Telemetry().CoordinationRounds; n != 8 {
			t.Errorf("%d rounds, want 8: those that failed too", n)
		}
	})
}
