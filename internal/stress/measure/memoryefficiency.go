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
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/resources"
	"mabeam-top/internal/stress/scenario"
)

func memoryEfficiency() *stress.Measurement {
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:      "memory-efficiency",
		Summary:   "Measures how memory grows with the number of agents, and whether it is released when they stop.",
		Component: "system_memory",
		Alone:     true,
		Params: []scenario.Param{
			{Name: "agent_counts", Kind: scenario.Ints, Default: []int{10, 100, 1000, 10000}, Min: 1, Max: 10_000_000, Doc: "Numbers of idle agents, measured in ascending order."},
			agentTypeParam(),
		},
		Metrics: []scenario.Metric{
			{Name: "memory_efficiency_ratio", Unit: "ratio", Better: report.Higher, Doc: "Growth of live heap and stacks from no agents to the most / growth of heap and stacks in use, which include the gaps between live objects. Both are read after two garbage collections."},
			{Name: "memory_scaling", Unit: "text", Better: report.Neither, Doc: "Class of memory_scaling_exponent: constant, logarithmic (sublinear), linear or superlinear; a range of them if its interval spans several. Linear means that each agent takes the same."},
			{Name: "memory_scaling_exponent", Unit: "exponent", Better: report.Lower, Must: "<= 1.15", Unclipped: true, Doc: "The exponent e of live memory ~ agents^e between the two largest numbers of agents, each measured on three systems. Numbers whose agents hold less than 128 KiB, the noise of live memory, are left out. If fewer than two numbers remain, it fails: use more agents."},
			{Name: "max_memory_per_agent_mb", Unit: "MB", Better: report.Lower, Keyed: true, Doc: "Highest live memory per agent at any number of agents, in 1e6 bytes; with .COUNT, at that number. Numbers whose agents hold less than 128 KiB are left out."},
			{Name: "memory_growth_rate", Unit: "ratio", Better: report.Lower, Unclipped: true, Doc: "Theil–Sen slope of live memory with the most agents × rounds / median, read around 12 rounds that each replace a tenth of the agents. Unmeasured rounds that replace every agent once come before: the registry keeps the places of ended agents up to a limit."},
			{Name: "left_per_agent_bytes", Unit: "bytes", Better: report.Lower, Must: "< 16", Given: func(p scenario.Params) bool { return slices.Max(p.Ints("agent_counts")) >= minAgentsForMemory }, Doc: "Growth of live memory without agents with each further start and stop of the most agents, per agent. The first start is excluded, because it grows tables that stay. Reported from 10,000 agents on."},
			{Name: "cleanup_effectiveness", Unit: "ratio", Better: report.Higher, Must: ">= 0.6", Given: hasAgentsForCleanup, Doc: "Share of the growth of live memory that is gone after all agents stop for the first time and two garbage collections. The registry's table stays: up to four places of 32 bytes for each agent, with the ids, which is up to a quarter of an agent without state. Judged from 4,000 agents on."},
			{Name: "fragmentation_ratio", Unit: "ratio", Better: report.Lower, Doc: "Heap held but not in use / heap held, after that clean-up. Memory returned to the operating system is not held. It depends on the Go runtime and is not judged."},
			{Name: "max_tested_agents", Unit: "count", Better: report.Higher, Doc: "Most agents of which every one started."},
			telemetryMismatches(),
		},
		Estimate: func(p scenario.Params) time.Duration {
			return 200*time.Millisecond + time.Duration(slices.Max(p.Ints("agent_counts")))*50*time.Microsecond
		},
		Targets: []scenario.Target{scenario.TargetComponents},
	}, Run: func(ctx context.Context, env *stress.Env) error {
		return measureMemoryEfficiency(ctx, env, func(int) mabeam.Spec { return specOf(env.Params.Text("agent_type")) })
	}}
}

const (
	// minAgentsForCleanup is how many agents hold much more than what stays of the first
	// agents of a system. With a thousand, half of the memory stays.
	minAgentsForCleanup = 4000
)

// hasAgentsForCleanup reports whether the most agents are enough for
// cleanup_effectiveness.
func hasAgentsForCleanup(p scenario.Params) bool {
	return slices.Max(p.Ints("agent_counts")) >= minAgentsForCleanup
}

const (
	// memorySystems is on how many systems the two largest numbers of agents are measured,
	// and startRounds how often all agents are started and stopped on the first.
	memorySystems, startRounds = 3, 3
	// churnRounds is how often one in churnShare agents is replaced. As many unmeasured
	// rounds come before.
	churnRounds, churnShare = 12, 10
	// minAgentsForMemory is how many agents it takes to detect a leak of 64 bytes per agent
	// in spite of the noise of live memory.
	minAgentsForMemory = 10_000
)

// An agentPopulation is the agents of a memory-efficiency measurement.
type agentPopulation struct {
	env     *stress.Env
	system  *mabeam.System
	spec    func(n int) mabeam.Spec
	ids     []string // of the live agents
	starts  int64
	stopped int64
}

func measureMemoryEfficiency(ctx context.Context, env *stress.Env, spec func(n int) mabeam.Spec) error {
	counts := sortedSizes(env.Params.Ints("agent_counts"))
	c := &agentPopulation{env: env, system: env.System(), spec: spec, ids: make([]string, 0, counts[len(counts)-1])}
	telemetry := newTelemetryCheck(env, env.System())
	before := readFootprint()
	first, err := c.grow(ctx, before, counts)
	if err != nil {
		return err
	}
	env.Value("max_tested_agents", float64(first.maxTested))
	if err := c.stop(ctx, len(c.ids)); err != nil {
		return err
	}
	after := readFootprint()
	grown, empty := first.samples, []float64{after.live}
	most := counts[len(counts)-1]
	for round := 1; round < startRounds && first.maxTested == most; round++ {
		if _, err := c.start(ctx, most); err != nil {
			return err
		}
		if round == 1 {
			if err := c.churn(ctx, first); err != nil {
				return err
			}
		}
		if err := c.stop(ctx, len(c.ids)); err != nil {
			return err
		}
		empty = append(empty, resources.LiveBytes())
	}
	for range memorySystems - 1 {
		if first.maxTested == most {
			again, err := c.growOnNewSystem(ctx, counts[max(len(counts)-2, 0):])
			if err != nil {
				return err
			}
			grown = append(grown, again.samples...)
		}
	}
	runtime.KeepAlive(c.ids) // the list is in every reading
	first.report(env, before, grown)
	if len(first.samples) > 0 {
		env.Value("cleanup_effectiveness", after.cleanupSince(before, first.most))
	}
	switch {
	case first.maxTested < most:
		unmeasured(env, fmt.Sprintf("not all of the %d agents started", most), "left_per_agent_bytes", "memory_growth_rate")
	case most >= minAgentsForMemory:
		env.GrowthPerOperation("left_per_agent_bytes", empty, float64(most))
	}
	env.Value("fragmentation_ratio", after.fragmentation())
	telemetry.expect(ctx, map[string]int64{
		"AgentsStarted": c.starts, "AgentsStopped": c.stopped, "AgentsCrashed": 0, "AgentsRestarted": 0, "Agents": 0, "Subscriptions": 0,
	})
	telemetry.report()
	return nil
}

// growthReadings are the readings while a population grows.
type growthReadings struct {
	maxTested int          // the most agents of which every one started
	most      footprint    // with maxTested agents
	samples   []sizedValue // live memory beyond that without agents; values below resources.MemoryNoise are left out
}

// grow starts agents up to each of the counts, and reads the memory at each.
func (c *agentPopulation) grow(ctx context.Context, before footprint, counts []int) (growthReadings, error) {
	g := growthReadings{most: before}
	for _, n := range counts {
		result, err := c.start(ctx, n-len(c.ids))
		if err != nil {
			return g, err
		}
		if len(c.ids) < n {
			if limit := c.env.Options().MaxAgents; limit == 0 || limit >= n {
				c.env.Finding(fmt.Sprintf("not all of %d agents started; more were not tried", n), 1)
			} else {
				c.env.Detail(fmt.Sprintf("agents that did not start; more than %d were not tried", n), result.Attempted-result.Succeeded)
			}
			return g, nil
		}
		g.maxTested, g.most = n, readFootprint()
		// A smaller value would be noise.
		if more := g.most.live - before.live; more >= resources.MemoryNoise {
			g.samples = append(g.samples, sizedValue{n, more})
		}
	}
	return g, nil
}

// growOnNewSystem does the same on a new system.
func (c *agentPopulation) growOnNewSystem(ctx context.Context, counts []int) (g growthReadings, err error) {
	system, stop, err := startWatched(ctx, c.env, c.env.Options())
	if err != nil {
		return g, err
	}
	defer stop()
	another := &agentPopulation{env: c.env, system: system, spec: c.spec, ids: make([]string, 0, counts[len(counts)-1])}
	return another.grow(ctx, readFootprint(), counts)
}

// agentStartTime is roughly how long the start or the stop of an agent takes.
const agentStartTime = 5 * time.Microsecond

// start starts n more agents.
func (c *agentPopulation) start(ctx context.Context, n int) (load.Result, error) {
	from := len(c.ids)
	starts := load.Load{Workers: 1, Operations: n, For: loadTimeout(time.Duration(n) * agentStartTime)}
	result, err := c.env.RunLoad(ctx, starts, func(ctx context.Context, op load.Op) error {
		id, err := c.system.StartAgent(ctx, c.spec(from+op.N))
		if err == nil {
			c.ids = append(c.ids, id)
		}
		return err
	})
	c.starts += result.Succeeded
	return result, err
}

// stop stops the n oldest agents.
func (c *agentPopulation) stop(ctx context.Context, n int) error {
	result, err := c.env.RunLoad(ctx, load.Load{Workers: 1, Operations: n}, func(ctx context.Context, op load.Op) error {
		id := c.ids[op.N]
		c.ids[op.N] = "" // nothing else holds it
		return c.system.StopAgent(ctx, id)
	})
	if failed := result.Failed; failed > 0 {
		c.env.Finding("agents that did not stop", failed)
	}
	c.stopped += result.Succeeded
	left := copy(c.ids, c.ids[result.Attempted:])
	clear(c.ids[left:])
	c.ids = c.ids[:left]
	return err
}

// churn replaces a part of the agents in each of several rounds, and reports the growth of
// memory.
func (c *agentPopulation) churn(ctx context.Context, g growthReadings) error {
	n := g.maxTested / churnShare
	if n == 0 || len(g.samples) == 0 || g.samples[len(g.samples)-1].size != g.maxTested {
		c.env.Unmeasured("memory_growth_rate", belowNoise("the agents of each of agent_counts"))
		return nil
	}
	readings := make([]float64, 0, churnRounds+1)
	for round := range 2*churnRounds + 1 {
		if err := c.stop(ctx, n); err != nil {
			return err
		}
		if _, err := c.start(ctx, n); err != nil {
			return err
		}
		if round >= churnRounds {
			readings = append(readings, resources.LiveBytes())
		}
	}
	c.env.Growth("memory_growth_rate", readings)
	return nil
}

// report reports how memory grew in all and per agent; grown are the readings of all
// systems.
func (g growthReadings) report(env *stress.Env, before footprint, grown []sizedValue) {
	if len(g.samples) == 0 {
		unmeasured(env, belowNoise("the agents of each of agent_counts"), "memory_efficiency_ratio", "max_memory_per_agent_mb", "memory_scaling_exponent", "memory_scaling", "cleanup_effectiveness")
		return
	}
	env.Value("memory_efficiency_ratio", g.most.efficiencySince(before))
	worst := 0.0
	for _, v := range g.samples {
		each := v.value / float64(v.size) / 1e6
		worst = max(worst, each)
		env.Value("max_memory_per_agent_mb."+strconv.Itoa(v.size), each)
	}
	env.Value("max_memory_per_agent_mb", worst)
	var samples scalingSamples
	if len(g.samples) > 1 {
		for _, v := range grown {
			samples.add(v.size, v.value)
		}
	}
	samples.report(env, "memory_scaling_exponent", "memory_scaling", belowNoise("the agents of all but one of agent_counts"))
}

// A footprint is a reading of the memory of the process, in bytes.
type footprint struct {
	live  float64 // live heap and stacks
	inUse float64 // live, and the gaps between objects
	held  float64 // heap not returned to the operating system
	idle  float64 // of held, what is not in objects
}

// readFootprint reads the memory as resources.LiveBytes does.
func readFootprint() footprint {
	live := resources.LiveBytes()
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

// efficiencySince is the live share of the memory that came into use since before.
func (f footprint) efficiencySince(before footprint) float64 {
	return (f.live - before.live) / (f.inUse - before.inUse)
}

// cleanupSince is the share of the growth from before to most that is gone.
func (f footprint) cleanupSince(before, most footprint) float64 {
	return (most.live - f.live) / (most.live - before.live)
}

// fragmentation is the share of the held heap that is not in use.
func (f footprint) fragmentation() float64 { return f.idle / f.held }
