package mabeam

import (
	"context"
	"fmt"
	"math/bits"
	"reflect"

	"mabeam-top/internal/runtime/internal/interned"
)

// Actions is a table of actions whose parameters and results have types. It is a behaviour
// by itself, and one that embeds it need only write the callbacks that it has a use for:
// HandleAction looks the action up, and returns ErrUnknownAction for one that is not in the
// table. A table does not change, so that any number of agents can share it. NewActions makes
// one; the zero value knows no action.
type Actions struct {
	Defaults
	// byHash is a hash table with linear probing, at most half full; nil in the zero value.
	// It is faster than a map, because hashAction does not read the whole name.
	byHash []ActionHandler
}

// An ActionHandler is one action of a table, made by Handle.
type ActionHandler struct {
	name   string
	handle func(ctx context.Context, self *Agent, params any) (any, error)
}

// NewActions makes a table of actions. It panics if an action is in it twice.
func NewActions(handlers ...ActionHandler) *Actions {
	a := &Actions{byHash: make([]ActionHandler, 1<<bits.Len(uint(2*len(handlers))))}
	for _, h := range handlers {
		a.add(h)
	}
	return a
}

// add puts an action into the first free slot from its own on.
func (a *Actions) add(h ActionHandler) {
	mask := uint(len(a.byHash) - 1)
	for i := hashAction(h.name); ; i++ {
		switch slot := &a.byHash[i&mask]; {
		case slot.handle == nil:
			*slot = h
			return
		case slot.name == h.name:
			panic(fmt.Sprintf("mabeam: action %q is handled twice", h.name))
		}
	}
}

// hashAction tells the names of actions apart well enough.
func hashAction(name string) uint {
	if name == "" {
		return 0
	}
	return uint(len(name)) + 31*uint(name[0]) + 7*uint(name[len(name)-1])
}

// HandleAction implements Behaviour.
func (a *Actions) HandleAction(ctx context.Context, self *Agent, action string, params any) (any, error) {
	mask := uint(len(a.byHash) - 1)
	for i := hashAction(action); len(a.byHash) > 0; i++ {
		switch slot := &a.byHash[i&mask]; {
		case slot.handle == nil:
			return nil, ErrUnknownAction
		case interned.Equal(slot.name, action):
			return slot.handle(ctx, self, params)
		}
	}
	return nil, ErrUnknownAction
}

// Handle makes a function the handler of an action. Parameters that are not of type P do
// not reach it: the caller gets a *TypeError. P is an interface type such as any for
// parameters of several types, and struct{} for an action without parameters. Parameters
// that are nil are the zero value of P if that is struct{} or a type that has a nil, and a
// *TypeError otherwise. R is any for an action that has no result, and returns nil.
func Handle[P, R any](name string, f func(ctx context.Context, self *Agent, params P) (R, error)) ActionHandler {
	takesNil := hasNil[P]()
	return ActionHandler{name, func(ctx context.Context, self *Agent, params any) (any, error) {
		p, ok := params.(P)
		if !ok && (params != nil || !takesNil) {
			return nil, newTypeError[P]("parameters", params)
		}
		return f(ctx, self, p)
	}}
}

// Call has an agent carry out an action, as System.Execute does, and returns its result as
// an R. A result of another type is an *ActionError that wraps a *TypeError; a result of nil
// is treated as Handle treats parameters of nil. With the context of a callback the call is
// that agent's.
func Call[R any](ctx context.Context, s *System, id, action string, params any) (R, error) {
	result, err := s.Execute(ctx, id, action, params)
	r, ok := result.(R)
	if err == nil && !ok && (result != nil || !hasNil[R]()) {
		err = &ActionError{Agent: id, Action: action, Err: newTypeError[R]("result", result)}
	}
	return r, err
}

// StateOf returns the state of an agent as an S; its zero value if the agent has none yet.
// It panics with a *TypeError if the state has another type, which in a callback costs the
// agent its life.
func StateOf[S any](a *Agent) S {
	state := a.State()
	s, ok := state.(S)
	if !ok && state != nil {
		panic(newTypeError[S]("state", state))
	}
	return s
}

// A TypeError says that a value is not of the type that was wanted. It reaches a caller in
// an *ActionError, which names the agent and the action.
type TypeError struct {
	// Value says which value it is: "parameters", "result" or "state".
	Value string
	// Want is the type that was wanted, and Got that of the value; nil for an untyped nil.
	Want, Got reflect.Type
}

func (e *TypeError) Error() string {
	if e.Got == nil {
		return fmt.Sprintf("%s: want %v, got nil", e.Value, e.Want)
	}
	return fmt.Sprintf("%s: want %v, got %v", e.Value, e.Want, e.Got)
}

func newTypeError[T any](value string, got any) *TypeError {
	return &TypeError{Value: value, Want: reflect.TypeFor[T](), Got: reflect.TypeOf(got)}
}

// hasNil reports whether an untyped nil stands for the zero value of a type.
func hasNil[T any]() bool {
	t := reflect.TypeFor[T]()
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Interface, reflect.Map, reflect.Pointer, reflect.Slice, reflect.UnsafePointer:
		return true
	}
	return t == reflect.TypeFor[struct{}]()
}
