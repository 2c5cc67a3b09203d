package supervision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/faults"
	"mabeam-top/internal/runtime/mabeamtest"
)

const modelWindow = 10 * time.Second

// A modelNode is what a tree of supervisors is to do, as simply as possible: it is an agent,
// or a supervisor with those below it.
type modelNode struct {
	id      string
	restart RestartPolicy

	isSupervisor bool
	strategy     Strategy
	limit        int
	first        []*modelNode // whom each of its lives begins with

	parent   *modelNode
	alive    bool
	restarts int
	children []*modelNode
	times    []time.Time // of the restarts of its children
}

// drawSupervisor draws a supervisor with up to so many levels of supervisors below it.
func drawSupervisor(t *rapid.T, id string, levels, limit int) *modelNode {
	n := &modelNode{
		id: id, isSupervisor: true,
		restart:  RestartPolicy(rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "restart")),
		strategy: Strategy(rapid.IntRange(0, 2).Draw(t, "strategy")),
		limit:    limit,
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "children") {
		id := fmt.Sprint(id, ".", i)
		if levels > 0 && rapid.Bool().Draw(t, "is a supervisor") {
			n.first = append(n.first, drawSupervisor(t, id, levels-1, rapid.IntRange(0, 3).Draw(t, "limit")))
			continue
		}
		n.first = append(n.first, &modelNode{id: id, restart: RestartPolicy(rapid.IntRange(0, 2).Draw(t, "restart"))})
	}
	return n
}

// spec is the real supervisor like it, and child the real child.
func (n *modelNode) spec() Spec {
	s := Spec{ID: n.id, Strategy: n.strategy, Intensity: &Intensity{n.limit, modelWindow}}
	for _, c := range n.first {
		s.Children = append(s.Children, c.child())
	}
	return s
}

func (n *modelNode) child() Child {
	if !n.isSupervisor {
		return plainChild(n.id, n.restart)
	}
	c := below(n.spec())
	c.Restart = n.restart
	return c
}

// A modelTree is a tree and what it has told.
type modelTree struct {
	root *modelNode
	told []string
}

func (m *modelTree) tell(what string, n *modelNode) { m.told = append(m.told, what+" "+n.id) }

// start begins a life of a node, the first one or a further one.
func (m *modelTree) start(n *modelNode, again bool) {
	n.alive, n.children, n.times = true, nil, nil
	switch {
	case !again:
	case n.isSupervisor:
		n.restarts++
	default:
		n.restarts++
		defer m.tell("restarted", n)
	}
	if !n.isSupervisor {
		m.tell("started", n)
	}
	for _, c := range n.first {
		m.add(n, *c)
	}
}

// add starts a new child.
func (m *modelTree) add(parent *modelNode, c modelNode) {
	c.parent = parent
	parent.children = append(parent.children, &c)
	m.start(&c, false)
}

// stop ends what lives of a node, in good order.
func (m *modelTree) stop(n *modelNode) {
	if !n.alive {
		return
	}
	n.alive = false
	if !n.isSupervisor {
		m.tell("stopping", n)
		m.tell("stopped", n)
	}
	for _, c := range slices.Backward(n.children) {
		m.stop(c)
	}
	n.children = nil
}

// dismiss ends a node for good.
func (m *modelTree) dismiss(n *modelNode) {
	m.stop(n)
	n.parent.forget(n)
}

func (n *modelNode) forget(c *modelNode) {
	n.children = slices.DeleteFunc(n.children, func(x *modelNode) bool { return x == c })
}

// end ends a node in a way.
func (m *modelTree) end(n *modelNode, way string, now time.Time) {
	switch way {
	case "StopAgent", "StopChild":
		m.dismiss(n)
		return
	case "crash":
		m.tell("crashed", n)
	case "kill":
		m.tell("stopped", n)
	default:
		m.stop(n)
	}
	n.alive = false
	m.ended(n, way == "leave" || way == "Stop", now)
}

// ended is what the supervisor above makes of an end.
func (m *modelTree) ended(n *modelNode, normal bool, now time.Time) {
	v := n.parent
	switch {
	case v == nil, n.restart == Transient && normal:
		return
	case n.restart == Temporary:
		v.forget(n)
		return
	}
	v.times = append(v.times, now)
	if v.recent(now) > v.limit {
		m.stop(v)
		m.tell("gave_up", v)
		m.ended(v, false, now)
		return
	}
	m.renew(v.tied(n), m.stop)
}

// renew ends children in the reverse of their order, and starts those that are to live on.
func (m *modelTree) renew(children []*modelNode, end func(*modelNode)) {
	for _, c := range slices.Backward(children) {
		end(c)
	}
	for _, c := range slices.Clone(children) {
		if c.restart == Temporary {
			c.parent.forget(c)
			continue
		}
		m.start(c, true)
	}
}

// recent is how many restarts there were of late.
func (n *modelNode) recent(now time.Time) (recent int) {
	for _, at := range n.times {
		if now.Sub(at) <= modelWindow {
			recent++
		}
	}
	return recent
}

// tied are the children that are restarted with one of them.
func (n *modelNode) tied(c *modelNode) []*modelNode {
	switch from := slices.Index(n.children, c); n.strategy {
	case OneForOne:
		return n.children[from : from+1]
	case RestForOne:
		return n.children[from:]
	}
	return n.children
}

// crash is the crash of the root.
func (m *modelTree) crash() {
	m.root.times = nil
	m.renew(m.root.children, func(n *modelNode) {
		if n.alive && !n.isSupervisor {
			m.tell("stopped", n)
			n.alive = false
		}
		m.stop(n)
	})
	m.tell("restarted", m.root)
}

// nodes lists all nodes below one that satisfy a condition.
func (n *modelNode) nodes(is func(*modelNode) bool) (list []*modelNode) {
	for _, c := range n.children {
		if is(c) {
			list = append(list, c)
		}
		list = append(list, c.nodes(is)...)
	}
	return list
}

// node is what Tree is to tell of it.
func (n *modelNode) node(now time.Time) Node {
	told := Node{ID: n.id, Strategy: n.strategy, Restarts: n.recent(now), Allowed: n.limit}
	for _, c := range n.children {
		child := NodeChild{ChildInfo: ChildInfo{ID: c.id, Restarts: c.restarts, Alive: c.alive}, Restart: c.restart}
		if c.isSupervisor && c.alive {
			below := c.node(now)
			child.Below = &below
		}
		told.Children = append(told.Children, child)
	}
	return told
}

// show writes out a tree, but for what its model does not know.
func (n Node) show() string {
	s := fmt.Sprintf("%s %v %d/%d (", n.ID, n.Strategy, n.Restarts, n.Allowed)
	for _, c := range n.Children {
		s += fmt.Sprintf(" %s %v %d %v", c.ID, c.Restart, c.Restarts, c.Alive)
		if c.Below != nil {
			s += " " + c.Below.show()
		}
	}
	return s + ")"
}

// A treeStep is what happens to a tree at one moment.
type treeStep struct {
	pause   time.Duration
	what    string
	target  int           // which of those that it can happen to
	way     string        // in which it ends
	restart RestartPolicy // of the child that is added
}

func drawTreeStep(t *rapid.T) treeStep {
	step := treeStep{
		pause:   time.Duration(rapid.IntRange(0, 3).Draw(t, "seconds")) * time.Second,
		what:    rapid.SampledFrom([]string{"agent", "agent", "agent", "agent", "agent", "supervisor", "add", "crash"}).Draw(t, "what"),
		target:  rapid.IntRange(0, 100).Draw(t, "target"),
		restart: RestartPolicy(rapid.IntRange(0, 2).Draw(t, "restart")),
	}
	ways := []string{"crash", "crash", "kill", "kill", "leave", "StopAgent", "StopChild"}
	if step.what == "supervisor" {
		ways = []string{"Stop", "Stop", "StopChild"}
	}
	step.way = rapid.SampledFrom(ways).Draw(t, "way")
	return step
}

// A treeRun does the same to a tree and to its model.
type treeRun struct {
	t    *testing.T
	s    *mabeam.System
	v    *Supervisor
	m    *modelTree
	told *chronicle
}

// supervisor is the living supervisor of a node.
func (r *treeRun) supervisor(n *modelNode) *Supervisor {
	if n.parent == nil {
		return r.v
	}
	children := r.supervisor(n.parent).Children()
	i := slices.IndexFunc(children, func(c ChildInfo) bool { return c.ID == n.id })
	return children[i].Supervisor
}

func (r *treeRun) step(number int, step treeStep) {
	time.Sleep(step.pause)
	switch step.what {
	case "agent", "supervisor":
		r.end(step)
	case "add":
		r.add(number, step)
	case "crash":
		if err := faults.Crash(r.s, "agents"); err != nil {
			r.t.Error(err)
		}
		r.m.crash()
	}
	synctest.Wait()
}

// end ends somebody, if there is one whom that can happen to.
func (r *treeRun) end(step treeStep) {
	those := r.m.root.nodes(func(n *modelNode) bool {
		return n.isSupervisor == (step.what == "supervisor") && (n.alive || strings.HasPrefix(step.way, "StopA") || step.way == "StopChild")
	})
	if len(those) == 0 {
		return
	}
	n := those[step.target%len(those)]
	if step.way == "Stop" {
		if err := r.supervisor(n).Stop(r.t.Context()); err != nil {
			r.t.Error(err)
		}
	} else {
		end(r.t, r.s, r.supervisor(n.parent), n.id, step.way)
	}
	r.m.end(n, step.way, time.Now())
}

// add has a supervisor start one more agent.
func (r *treeRun) add(number int, step treeStep) {
	those := append(r.m.root.nodes(func(n *modelNode) bool { return n.isSupervisor && n.alive }), r.m.root)
	n := those[step.target%len(those)]
	c := modelNode{id: fmt.Sprint("new", number), restart: step.restart}
	if _, err := r.supervisor(n).StartChild(r.t.Context(), c.child()); err != nil {
		r.t.Error(err)
	}
	r.m.add(n, c)
}

// compare returns how the tree differs from its model.
func (r *treeRun) compare() error {
	if got, want := r.told.take(), strings.Join(r.m.told, ", "); got != want {
		return fmt.Errorf("told %s\nwant %s", got, want)
	}
	r.m.told = nil
	if gaveUp := errors.Is(r.v.Err(), ErrGaveUp); gaveUp == r.m.root.alive {
		return fmt.Errorf("has given up: %v, want alive: %v", gaveUp, r.m.root.alive)
	}
	if !r.m.root.alive {
		return nil
	}
	if got, want := Tree(r.s, 0)[0].show(), r.m.root.node(time.Now()).show(); got != want {
		return fmt.Errorf("is %s\nwant %s", got, want)
	}
	agents := len(r.m.root.nodes(func(n *modelNode) bool { return !n.isSupervisor && n.alive }))
	if n := r.s.Telemetry().Agents; n != int64(agents) {
		return fmt.Errorf("%d agents live, want %d", n, agents)
	}
	return nil
}

// runTree returns what a tree does otherwise than its model.
func runTree(t *testing.T, root *modelNode, steps []treeStep) error {
	s, err := mabeam.Start(context.Background(), mabeam.Options{})
	if err != nil {
		return err
	}
	r := &treeRun{t: t, s: s, m: &modelTree{root: root}, told: keepChronicle(t, s)}
	r.v = startSupervisor(t, s, root.spec())
	r.m.start(root, false)
	synctest.Wait()
	err = r.compare()
	for i := 0; i < len(steps) && err == nil && root.alive; i++ {
		r.step(i, steps[i])
		if err = r.compare(); err != nil {
			err = fmt.Errorf("step %d, %+v: %w", i, steps[i], err)
		}
	}
	return errors.Join(err, s.Stop(context.Background()), mabeamtest.Leftovers(s))
}

// Whatever happens to agents and supervisors, one after the other, a tree does what its model
// does: the same live, after as many restarts, the same have given up, and everything was
// told in the same order.
func TestTreeIsLikeItsModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		// All is drawn before because rapid does not run in a bubble.
		root := drawSupervisor(r, "root", 2, rapid.IntRange(0, 8).Draw(r, "limit"))
		steps := rapid.SliceOfN(rapid.Custom(drawTreeStep), 1, 40).Draw(r, "steps")
		var err error
		synctest.Test(t, func(t *testing.T) { err = runTree(t, root, steps) })
		if err != nil {
			r.Fatal(err)
		}
	})
}
