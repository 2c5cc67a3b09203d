package stress

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limited := new(run).limitTime(t.Context(), time.Second)
		defer limited.end()
		time.Sleep(time.Second - time.Nanosecond)
		if limited.Err() != nil {
			t.Error("it ended early")
		}
		limited.timer.Stop() // late for ever
		time.Sleep(time.Nanosecond)
		if limited.Err() == nil || !strings.Contains(context.Cause(limited).Error(), "scenario timeout of 1s") {
			t.Errorf("after its deadline: %v, %v", limited.Err(), context.Cause(limited))
		}
		<-limited.Done()

		lifted := new(run).limitTime(t.Context(), time.Second)
		defer lifted.end()
		lifted.lift()
		time.Sleep(time.Minute)
		if _, limited := lifted.Deadline(); lifted.Err() != nil || limited {
			t.Errorf("a limit that was lifted: %v", lifted.Err())
		}
	})
}
