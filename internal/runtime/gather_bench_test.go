package mabeam

import (
	"context"
	"strconv"
	"testing"
)

// BenchmarkGather measures a round of one question.
func BenchmarkGather(b *testing.B) {
	for _, agents := range []int{10, 10_000} {
		b.Run(strconv.Itoa(agents), func(b *testing.B) {
			s := startBench(b, Options{})
			ids := benchAgents(b, s, agents)
			b.ReportAllocs()
			for b.Loop() {
				answers, err := s.Gather(context.Background(), ids, "x", nil)
				if missing := answers.Missing(); err != nil || len(missing) > 0 {
					b.Fatal(missing, err)
				}
			}
		})
	}
}

// benchAgents starts agents that answer every coordination with a number.
func benchAgents(b *testing.B, s *System, n int) []string {
	b.Helper()
	answer := any(1)
	behaviour := &scripted{action: func(context.Context, *Agent, string, any) (any, error) { return answer, nil }}
	ids := make([]string, n)
	for i := range ids {
		id, err := s.StartAgent(context.Background(), Spec{Behaviour: behaviour})
		if err != nil {
			b.Fatal(err)
		}
		ids[i] = id
	}
	return ids
}
