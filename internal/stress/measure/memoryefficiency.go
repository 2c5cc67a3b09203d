package measure

import (
	"context"
	"fmt"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
)

func memoryEfficiency() *stress.Measurement {
	return &stress.Measurement{
		Name:      "memory-efficiency",
		Summary:   "How does memory grow with the number of agents, and is it given back when they have stopped?",
		Component: "system_memory",
		Alone:     true,
		Params: []stress.Param{
			{Name: "agent_counts", Kind: stress.Ints, Default: []int{10, 100, 1000, 10000}, Min: 1, Max: 10_000_000, Doc: "Numbers of idle agents to measure at, from the smallest to the largest."},
			{Name: "agent_type", Kind: stress.Text, Default: "demo", Choices: agentTypes, Doc: "What the agents are."},
		},
		Metrics: []stress.Metric{
			{Name: "memory_efficiency_ratio", Unit: "ratio", Better: report.Higher, Doc: "Growth of live heap and stacks from no agents to the most / growth of heap and stacks in use, with the gaps between live objects; both after two collections."},
			{Name: "memory_scaling", Unit: "text", Better: report.Neither, Doc: "What memory_scaling_exponent means: constant, logarithmic (less than linear), linear, or superlinear. Linear means that each agent costs the same."},
			{Name: "memory_scaling_exponent", Unit: "exponent", Better: report.Lower, Doc: "Exponent of a log–log fit of live memory over the number of agents; numbers whose agents hold less than 128 KiB are left out, as memory changes by that much by itself."},
			{Name: "max_memory_per_agent_mb", Unit: "MB", Better: report.Lower, Keyed: true, Doc: "The most live memory per agent at any number of agents, in 1e6 bytes; with .COUNT at that number. Numbers whose agents hold less than 128 KiB are left out."},
			{Name: "cleanup_effectiveness", Unit: "ratio", Better: report.Higher, Doc: "Share of the growth of live memory that is gone after all agents have stopped, and two collections."},
			{Name: "fragmentation_ratio", Unit: "ratio", Better: report.Lower, Doc: "Heap that is held but not in use then / heap held. What was given back to the operating system is not held; right after the clean-up little was."},
			{Name: "max_tested_agents", Unit: "count", Better: report.Higher, Doc: "The most agents of which every one was started."},
		},
		Estimate: func(p stress.Params) time.Duration {
			return 200*time.Millisecond + time.Duration(slices.Max(p.Ints("agent_counts")))*8*time.Microsecond
		},
		Targets: []stress.Target{stress.Components},
		Run: func(ctx context.Context, env *stress.Env) error {
			return measureMemoryEfficiency(ctx, env, func(int) mabeam.Spec { return agentSpec(env.Params.Text("agent_type")) })
		},
	}
}

// A footprint is a reading of the process's memory, in bytes.
type footprint struct {
	live  float64 // objects on the heap, and stacks
	inUse float64 // that and the gaps between objects
	held  float64 // heap not given back to the operating system
	idle  float64 // of it, what is in no object
}

// readFootprint reads the memory after two collections, as liveBytes does.
func readFootprint() footprint {
	live := liveBytes()
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
	}
	metrics.Read(samples)
	var v [4]float64
	for i, s := range samples {
		v[i] = float64(s.Value.Uint64())
	}
	objects, unused, free, stacks := v[0], v[1], v[2], v[3]
	return footprint{
		live:  live,
		inUse: objects + unused + stacks,
		held:  objects + unused + free,
		idle:  unused + free,
	}
}

// efficiency is which share of what came into use since before is live.
func (f footprint) efficiency(before footprint) float64 {
	return (f.live - before.live) / (f.inUse - before.inUse)
}

// cleaned is which share of what had grown from before to most is gone.
func (f footprint) cleaned(before, most footprint) float64 {
	return (most.live - f.live) / (most.live - before.live)
}

// fragmentation is which share of the heap that is held is not in use.
func (f footprint) fragmentation() float64 { return f.idle / f.held }

func measureMemoryEfficiency(ctx context.Context, env *stress.Env, spec func(n int) mabeam.Spec) error {
	counts := ascending(env.Params.Ints("agent_counts"))
	ids := make([]string, counts[len(counts)-1])
	started, tested := 0, 0
	var grown, each []sized
	before := readFootprint()
	most := before
	for _, n := range counts {
		driven, err := env.Drive(ctx, stress.Load{Workers: 1, Operations: n - started}, func(ctx context.Context, op stress.Op) (err error) {
			ids[started+op.N], err = env.System().StartAgent(ctx, spec(started+op.N))
			return err
		})
		if err != nil {
			return err
		}
		started = n
		if driven.Attempted > driven.Succeeded {
			env.Detail(fmt.Sprintf("agents that did not start; more than %d were not tried", n), driven.Attempted-driven.Succeeded)
			break
		}
		tested, most = n, readFootprint()
		// Less would be a figure of something else.
		if growth := most.live - before.live; growth >= memoryNoise {
			grown, each = append(grown, sized{n, growth}), append(each, sized{n, growth / float64(n) / 1e6})
		}
	}
	env.Value("max_tested_agents", float64(tested))
	if tested > 0 {
		tellMemoryGrowth(env, grown, each, most.efficiency(before))
	}

	stopped, err := env.Drive(ctx, stress.Load{Workers: 1, Operations: started}, func(ctx context.Context, op stress.Op) error {
		id := ids[op.N]
		ids[op.N] = "" // it would be held by nobody else
		return env.System().StopAgent(ctx, id)
	})
	if err != nil {
		return err
	}
	runtime.KeepAlive(ids) // the list itself is there in every reading
	if left := int64(started) - stopped.Succeeded; left > 0 {
		env.Finding("agents that did not stop", left)
	}
	after := readFootprint()
	if len(grown) > 0 {
		env.Value("cleanup_effectiveness", after.cleaned(before, most))
	}
	env.Value("fragmentation_ratio", after.fragmentation())
	return nil
}

// tellMemoryGrowth reports how memory grew, in all and for each agent.
func tellMemoryGrowth(env *stress.Env, grown, each []sized, efficiency float64) {
	if len(grown) == 0 {
		why := fmt.Sprintf("no number of agents holds more than the %d KiB that this process's memory changes by itself; ask for more agents", memoryNoise>>10)
		for _, metric := range []string{"memory_efficiency_ratio", "max_memory_per_agent_mb", "memory_scaling_exponent", "memory_scaling", "cleanup_effectiveness"} {
			env.Unmeasured(metric, why)
		}
		return
	}
	env.Value("memory_efficiency_ratio", efficiency)
	worst := 0.0
	for _, v := range each {
		worst = max(worst, v.value)
		env.Value("max_memory_per_agent_mb."+strconv.Itoa(v.size), v.value)
	}
	env.Value("max_memory_per_agent_mb", worst)
	e, ok := exponent(grown)
	if !ok {
		why := fmt.Sprintf("that takes two numbers of agents that hold more than the %d KiB that this process's memory changes by itself", memoryNoise>>10)
		env.Unmeasured("memory_scaling_exponent", why)
		env.Unmeasured("memory_scaling", why)
		return
	}
	env.Value("memory_scaling_exponent", e)
	env.Text("memory_scaling", scalingWord(e))
}
