package mabeam

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// An op is one thing that a worker does to an agent.
type op struct {
	do     string // one of planDo
	action string // what is asked for, of those that ask; one of planActions
	agent  int
}

// What occurs more than once is drawn more often.
var (
	planDo = []string{
		"tell", "tell", "tell", "execute", "execute", "execute with a deadline", "execute with a deadline",
		"abandon", "publish", "publish", "publish to a pattern", "publish to who listens", "suspend",
		"start", "start", "stop", "stop with a deadline", "kill", "update", "publish what kills",
	}
	planActions = []string{"do", "do", "do", "do", "do", "do", "fail", "listen", "listen", "leave", "panic"}
	asks        = map[string]bool{"tell": true, "execute": true, "execute with a deadline": true, "abandon": true}
)

func drawPlan(t *rapid.T) [][]op {
	one := rapid.Custom(func(t *rapid.T) op {
		o := op{do: rapid.SampledFrom(planDo).Draw(t, "do"), agent: rapid.IntRange(0, 2).Draw(t, "agent")}
		if asks[o.do] {
			o.action = rapid.SampledFrom(planActions).Draw(t, "action")
		}
		return o
	})
	return rapid.SliceOfN(rapid.SliceOfN(one, 1, 60), 1, 4).Draw(t, "plan")
}

// A job is the parameter of every action in a plan.
type job struct {
	from, seq int
	handled   atomic.Int32
	told      bool // by Tell, and accepted
	cut       bool // its agent was killed, perhaps while it was at work
}

// A witness is a behaviour that notices what the runtime must never do to it.
// Its fields but the first two have no lock: only one callback at a time may
// touch them, and the race detector watches.
type witness struct {
	run       *planRun
	inside    atomic.Int32
	init      bool
	panicked  bool           // a callback has: only Terminate may follow
	over      bool           // Terminate was called
	jobs      map[int]int    // by sender, the newest
	events    map[string]int // by type and publisher, the newest
	listening *Subscription
}

func (w *witness) enter(callback string) (leave func()) {
	if w.inside.Add(1) != 1 {
		w.run.fault("%s while another callback of the agent goes on", callback)
	}
	if w.init == (callback == "Init") {
		w.run.fault("%s, though Init was called: %v", callback, w.init)
	}
	if w.over || w.panicked && callback != "Terminate" {
		w.run.fault("%s after Terminate or a panic", callback)
	}
	return func() { w.inside.Add(-1) }
}

func (w *witness) Init(_ context.Context, self *Agent) error {
	defer w.enter("Init")()
	w.init = true
	w.jobs, w.events = map[int]int{}, map[string]int{}
	_, err := self.Subscribe("exact")
	_, err2 := self.SubscribePattern("pattern.*")
	_, err3 := self.Subscribe("deadly")
	return errors.Join(err, err2, err3)
}

func (w *witness) HandleAction(_ context.Context, self *Agent, action string, params any) (any, error) {
	defer w.enter("HandleAction")()
	j := params.(*job)
	j.handled.Add(1)
	if last, ok := w.jobs[j.from]; ok && j.seq <= last {
		w.run.fault("job %d of worker %d is handled after its job %d", j.seq, j.from, last)
	}
	w.jobs[j.from] = j.seq
	switch action {
	case "fail":
		w.run.failed.Add(1)
		return nil, errOwn
	case "panic":
		w.run.failed.Add(1)
		w.panicked = true
		panic(errOwn)
	case "leave":
		self.Stop()
	case "listen":
		w.listen(self)
	}
	w.run.done.Add(1)
	return j, nil
}

// listen subscribes, or unsubscribes if it has.
func (w *witness) listen(self *Agent) {
	if w.listening != nil {
		w.listening.Unsubscribe()
		w.listening = nil
		return
	}
	var err error
	if w.listening, err = self.Subscribe("listened"); err != nil && !errors.Is(err, ErrSystemStopped) {
		w.run.fault("listen: %v", err)
	}
}

func (*witness) HandleSignal(context.Context, *Agent, Signal) {}

func (w *witness) HandleEvent(_ context.Context, _ *Agent, e Event) {
	defer w.enter("HandleEvent")()
	w.run.events.Add(1)
	if e.Type == "listened" && w.listening == nil {
		w.run.fault("an event after Unsubscribe")
	}
	key, seq := e.Type+e.Source, e.Data.(int)
	if last, ok := w.events[key]; ok && seq <= last {
		w.run.fault("event %d of %s from %s is handled after event %d", seq, e.Type, e.Source, last)
	}
	w.events[key] = seq
	if e.Type == "deadly" {
		w.panicked = true
		panic(errOwn)
	}
}

func (w *witness) Terminate(context.Context, *Agent, error) {
	defer w.enter("Terminate")()
	w.over = true
}

// planTypes are the types of the events that a plan publishes.
var planTypes = map[string]string{
	"publish": "exact", "publish to a pattern": "pattern.x", "publish to who listens": "listened", "publish what kills": "deadly",
}

// A planRun carries a plan out on a system of its own and gathers what went
// wrong.
type planRun struct {
	s        *System
	deadline context.Context // far away: actions are handed to another goroutine

	done, failed, events atomic.Int64 // calls of behaviours, by how they ended
	started, kills       atomic.Int64
	refused              atomic.Int64 // executions that no behaviour saw

	mu     sync.Mutex
	faults []string
	jobs   []*job
}

func (r *planRun) fault(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.faults) < 10 {
		r.faults = append(r.faults, fmt.Sprintf(format, args...))
	}
}

// runPlan has one worker for each list of operations, all at the same time,
// and returns what is wrong in the end.
func runPlan(o Options, plan [][]op) []string {
	s, err := Start(context.Background(), o)
	if err != nil {
		return []string{err.Error()}
	}
	deadline, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	r := &planRun{s: s, deadline: deadline}
	told := map[string]int64{}
	newest := DropNewest
	lifecycle, err := s.Bus().SubscribePattern("agent_lifecycle.*", func(_ context.Context, e Event) { told[e.Type]++ },
		SubscribeOptions{Policy: &newest, Queue: 1 << 16})
	if err != nil {
		return []string{err.Error()}
	}
	for agent := range 3 {
		r.start(agent)
	}
	var workers sync.WaitGroup
	for from, ops := range plan {
		workers.Go(func() { r.work(from, ops) })
	}
	workers.Wait()
	soon, cancelStop := context.WithTimeout(context.Background(), time.Minute)
	defer cancelStop()
	if err := s.Stop(soon); err != nil {
		r.fault("stop: %v", err)
		return r.faults
	}
	if err := leftovers(s); err != nil {
		r.fault("%v", err)
	}
	r.audit(told, lifecycle.Delivered())
	return r.faults
}

// audit compares what the counters say with what the workers and the
// behaviours saw.
func (r *planRun) audit(told map[string]int64, heard uint64) {
	var toldInVain, cut int64
	for _, j := range r.jobs {
		if n := j.handled.Load(); n > 1 {
			r.fault("job %d of worker %d was handled %d times", j.seq, j.from, n)
		} else if n == 0 && j.told {
			toldInVain++
		} else if n == 1 && j.cut {
			cut++
		}
	}
	cut = min(cut, r.kills.Load()) // each costs what it finds at work, and that is one
	tel := r.s.Telemetry()
	if done := r.done.Load(); tel.ActionsDone > done || tel.ActionsDone < done-cut {
		r.fault("%d actions are counted as done, %d were, %d of them while their agent was killed", tel.ActionsDone, done, cut)
	}
	// Whether an execution was refused at once or after it had waited cannot
	// be seen from outside.
	least := r.failed.Load() + toldInVain
	if most := least + r.refused.Load() + cut; tel.ActionsFailed < least || tel.ActionsFailed > most {
		r.fault("%d actions are counted as failed, want %d to %d", tel.ActionsFailed, least, most)
	}
	if tel.AgentsStarted != r.started.Load() || tel.AgentsStarted != tel.AgentsStopped+tel.AgentsCrashed {
		r.fault("%d agents were started; counted: %+v", r.started.Load(), tel)
	}
	if told[EventAgentStarted] != tel.AgentsStarted || told[EventAgentStopped] != tel.AgentsStopped || told[EventAgentCrashed] != tel.AgentsCrashed {
		r.fault("told %v, counted %+v", told, tel)
	}
	if want := r.events.Load() + int64(heard); tel.EventsDelivered != want {
		r.fault("%d events are counted as delivered, %d were", tel.EventsDelivered, want)
	}
}

func (r *planRun) start(agent int) {
	id := fmt.Sprint("agent", agent)
	_, err := r.s.StartAgent(context.Background(), Spec{ID: id, Type: "even", Behaviour: &witness{run: r}})
	if err == nil {
		r.started.Add(1)
	} else if !errors.Is(err, ErrAlreadyRegistered) && !errors.Is(err, ErrKilled) {
		r.fault("start: %v", err)
	}
}

// work carries out one worker's operations.
func (r *planRun) work(from int, ops []op) {
	ctx := context.Background()
	for seq, o := range ops {
		id := fmt.Sprint("agent", o.agent)
		switch o.do {
		case "start":
			r.start(o.agent)
		case "stop":
			if err := r.s.StopAgent(ctx, id); err != nil {
				r.fault("stop: %v", err)
			}
		case "stop with a deadline":
			if err := r.s.StopAgent(r.deadline, id); err != nil {
				r.fault("stop: %v", err)
			}
		case "kill":
			r.kills.Add(1)
			r.s.KillAgent(id)
		case "suspend":
			r.suspend(from, seq, id)
		case "update":
			err := r.s.Registry().Update(id, func(record *Record) error {
				record.Type = map[string]string{"even": "odd", "odd": "even"}[record.Type]
				return nil
			})
			if err != nil && !errors.Is(err, ErrUnknownAgent) {
				r.fault("update: %v", err)
			}
		case "publish", "publish to a pattern", "publish to who listens", "publish what kills":
			eventType := planTypes[o.do]
			if err := r.s.Bus().Publish(ctx, Event{Type: eventType, Source: fmt.Sprint(from), Data: seq}); err != nil {
				r.fault("publish: %v", err)
			}
		default:
			r.ask(from, seq, id, o)
		}
	}
}

func (r *planRun) newJob(from, seq int) *job {
	j := &job{from: from, seq: seq}
	r.mu.Lock()
	r.jobs = append(r.jobs, j)
	r.mu.Unlock()
	return j
}

// suspend has an agent rest while a job waits for it. It does not wait for room, so that
// who waits for the agent does not wait for long.
func (r *planRun) suspend(from, seq int, id string) {
	var refused *TransitionError
	allowed := func(err error) bool {
		return err == nil || errors.As(err, &refused) || errors.Is(err, ErrUnknownAgent)
	}
	if err := r.s.SuspendAgent(id); !allowed(err) {
		r.fault("suspend: %v", err)
	}
	j := r.newJob(from, seq)
	soon, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	j.told = r.s.Tell(soon, id, "do", j) == nil
	if err := r.s.ResumeAgent(id); !allowed(err) {
		r.fault("resume: %v", err)
	}
}

// ask has an agent do a job, and checks what the answer says about it.
func (r *planRun) ask(from, seq int, id string, o op) {
	j := r.newJob(from, seq)
	var v any
	var err error
	switch o.do {
	case "tell":
		err = r.s.Tell(context.Background(), id, o.action, j)
		j.told = err == nil
	case "execute":
		v, err = r.s.Execute(context.Background(), id, o.action, j)
	case "execute with a deadline":
		v, err = r.s.Execute(r.deadline, id, o.action, j)
	case "abandon":
		ctx, cancel := context.WithCancel(context.Background())
		left := make(chan struct{})
		go func() { cancel(); close(left) }()
		v, err = r.s.Execute(ctx, id, o.action, j)
		<-left
	}
	handled := j.handled.Load()
	var told *ActionError
	switch {
	case err == nil && o.do == "tell":
	case err == nil:
		if v != j || handled != 1 || o.action == "fail" || o.action == "panic" {
			r.fault("%v: answered %v after it was handled %d times", o, v, handled)
		}
	case !errors.As(err, &told) || told.Agent != id || told.Action != o.action:
		r.fault("%v: %v", o, err)
	case errors.Is(err, errOwn):
		if handled != 1 || o.action != "fail" && o.action != "panic" {
			r.fault("%v: %v after it was handled %d times", o, err, handled)
		}
	case errors.Is(err, context.Canceled) && o.do == "abandon":
		r.refused.Add(1) // perhaps
		j.cut = true     // perhaps
	case errors.Is(err, ErrUnknownAgent), errors.Is(err, ErrStopping), errors.Is(err, ErrKilled), errors.Is(err, ErrCrashed),
		errors.Is(err, ErrMailboxFull) && o.do != "tell":
		j.cut = errors.Is(err, ErrKilled) && o.do != "tell"
		if handled != 0 && !j.cut {
			r.fault("%v: %v, but it was handled %d times", o, err, handled)
		}
		if o.do != "tell" {
			r.refused.Add(1)
		}
	default:
		r.fault("%v: %v", o, err)
	}
}

// Whatever several callers do to a few agents at once: an agent does one thing
// at a time, in the order of each sender, everything accepted once; every
// answer is true; every counter agrees; nothing is left.
func TestAgentsKeepTheirPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Options{
			Mailbox:  rapid.SampledFrom([]int{1, 2, 5, 1000}).Draw(t, "mailbox"),
			BusQueue: rapid.SampledFrom([]int{1, 2, 16, 1000}).Draw(t, "queue"),
			History:  rapid.SampledFrom([]int{-1, 10}).Draw(t, "history"),
			BusPolicy: rapid.SampledFrom([]QueuePolicy{
				Block, Block, DropOldest, DropNewest,
			}).Draw(t, "policy"),
		}
		for _, fault := range runPlan(o, drawPlan(t)) {
			t.Error(fault)
		}
	})
}

// The same for long: more workers than cores and thousands of operations.
func TestAgentsKeepTheirPromisesForLong(t *testing.T) {
	const workers, rounds = 8, 20_000
	for _, o := range []Options{{History: -1}, {Mailbox: 3, BusQueue: 3}} {
		random := rand.New(rand.NewPCG(1, 2))
		plan := make([][]op, workers)
		for i := range plan {
			for range rounds {
				next := op{do: planDo[random.IntN(len(planDo))], agent: random.IntN(3)}
				rarely := random.IntN(10) == 0 // an agent that dies at once does little
				switch {
				case asks[next.do] && rarely:
					next.action = planActions[random.IntN(len(planActions))]
				case asks[next.do]:
					next.action = "do"
				case !rarely && (next.do == "kill" || next.do == "publish what kills"):
					continue
				}
				plan[i] = append(plan[i], next)
			}
		}
		for _, fault := range runPlan(o, plan) {
			t.Error(fault)
		}
	}
}
