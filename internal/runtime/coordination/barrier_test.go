package coordination

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/mabeamtest"
)

// A diary notes who did what, in order.
type diary struct {
	mu      sync.Mutex
	entries []string
}

func (d *diary) note(entry string) {
	d.mu.Lock()
	d.entries = append(d.entries, entry)
	d.mu.Unlock()
}

// of lists the entries that begin with an id, without it.
func (d *diary) of(id string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var own []string
	for _, e := range d.entries {
		if rest, ok := strings.CutPrefix(e, id+" "); ok {
			own = append(own, rest)
		}
	}
	return own
}

// take returns all entries, and forgets them.
func (d *diary) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	entries := d.entries
	d.entries = nil
	return entries
}

func TestBarrierReleasesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		var d diary
		ids := manyIDs(5)
		wait := map[string]time.Duration{ids[1]: time.Second, ids[3]: 3 * time.Second}
		startNamed(t, s, ids, func(id, action string, params any) (any, error) {
			if action == ActionArrive {
				time.Sleep(wait[id])
			}
			d.note(action)
			return params, nil
		})
		began := time.Now()
		got, err := Barrier(t.Context(), s, ids, "params")
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("it took %v, want the time of the last to arrive", took)
		}
		entries := d.take()
		for i, action := range entries {
			want := ActionArrive
			if i >= len(ids) {
				want = ActionRelease
			}
			if action != want {
				t.Errorf("entry %d is %s, want %s: %v", i, action, want, entries)
			}
		}
		for i, id := range ids {
			want := mabeam.Answer{Agent: id, Value: "params"}
			if got.Arrived[i] != want || got.Told[i] != want {
				t.Errorf("%s: %+v and %+v", id, got.Arrived[i], got.Told[i])
			}
		}
	})
}

// Whoever has arrived, or does so too late, is told that the barrier broke;
// whoever refuses to come is not.
func TestBarrierBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{Mailbox: 2})
		var d diary
		var missing any
		hold := make(chan struct{})
		ids := []string{"early", "late", "refuses", "nobody", "panics", "full"}
		startNamed(t, s, []string{"early", "late", "refuses", "panics", "full"}, func(id, action string, params any) (any, error) {
			switch {
			case action == ActionArrive && (id == "late" || id == "full"):
				<-hold
			case id == "refuses":
				return nil, errOwn
			case id == "panics":
				panic("on the way")
			case action == ActionBreak && id == "early":
				missing = params.(map[string]any)["missing"]
			}
			d.note(id + " " + action)
			return nil, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		time.AfterFunc(time.Second/2, func() {
			if err := s.Tell(t.Context(), "full", "other", nil); err != nil {
				t.Error(err)
			}
		})
		got, err := Barrier(ctx, s, ids, nil)
		if !errors.Is(err, ErrBarrierBroken) || !errors.Is(err, mabeam.ErrTimeout) {
			t.Errorf("broken: %v", err)
		}
		if n := len(got.Arrived) - len(got.Arrived.Missing()); n != 1 || got.Arrived[0].Err != nil {
			t.Errorf("arrived: %+v", got.Arrived)
		}
		told := map[string]error{}
		for _, a := range got.Told {
			told[a.Agent] = a.Err
		}
		if len(told) != 3 || told["early"] != nil || told["late"] != nil || !errors.Is(told["full"], mabeam.ErrMailboxFull) {
			t.Errorf("told: %v", told)
		}
		close(hold)
		synctest.Wait()
		for id, want := range map[string][]string{
			"early": {ActionArrive, ActionBreak}, "late": {ActionArrive, ActionBreak},
			"refuses": nil, "panics": nil, "full": {ActionArrive, "other"},
		} {
			if did := d.of(id); !reflect.DeepEqual(did, want) {
				t.Errorf("%s did %v, want %v", id, did, want)
			}
		}
		if want := ids[1:]; !reflect.DeepEqual(missing, want) {
			t.Errorf("told that %v are missing, want %v", missing, want)
		}
	})
}

// One that ends between its arrival and its release holds up nobody.
func TestBarrierReleaseFails(t *testing.T) {
	s := mabeamtest.Start(t, mabeam.Options{})
	var d diary
	ids := manyIDs(3)
	startNamed(t, s, ids, func(id, action string, _ any) (any, error) {
		if id == ids[1] && action == ActionRelease {
			panic("at the release")
		}
		d.note(id + " " + action)
		return nil, nil
	})
	got, err := Barrier(t.Context(), s, ids, nil)
	if missing := got.Told.Missing(); !errors.Is(err, ErrBarrierBroken) || len(missing) != 1 || missing[0].Agent != ids[1] {
		t.Errorf("%+v, %v", got, err)
	}
	for _, id := range []string{ids[0], ids[2]} {
		if did := d.of(id); !reflect.DeepEqual(did, []string{ActionArrive, ActionRelease}) {
			t.Errorf("%s did %v", id, did)
		}
	}
}
