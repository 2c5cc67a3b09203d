package mabeam

import (
	"mabeam-top/internal/runtime/eventbus"
	"mabeam-top/internal/runtime/internal/metric"
	"mabeam-top/internal/runtime/registry"
)

// A Bus delivers events from publishers to subscribers.
type Bus = eventbus.Bus

// An Event goes to all subscriptions to its type. It has no answer.
type Event = eventbus.Event

// An EventID is unique in the process. The ids of one system's events rise in the order in which the
// events were published.
type EventID = eventbus.EventID

// A Subscription delivers events to one handler or agent, one at a time.
type Subscription = eventbus.Subscription

// SubscribeOptions configure a subscription. The zero value uses the policy and the queue length of the
// bus.
type SubscribeOptions = eventbus.SubscribeOptions

// A QueuePolicy decides what happens to a new event when a subscription's queue is full.
type QueuePolicy = eventbus.Policy

// The policies.
const (
	// Block makes the publisher wait, so that nothing is lost while it can wait.
	Block = eventbus.Block
	// DropOldest drops the oldest waiting event.
	DropOldest = eventbus.DropOldest
	// DropNewest drops the new event.
	DropNewest = eventbus.DropNewest
	// Disconnect ends the subscription.
	Disconnect = eventbus.Disconnect
)

// ParseQueuePolicy returns the policy with a name.
func ParseQueuePolicy(name string) (QueuePolicy, error) { return eventbus.ParsePolicy(name) }

// A MissedError means that an event was published, but subscriptions missed it because they had no
// room in time.
type MissedError = eventbus.MissedError

// A PublishAllError reports what became of a batch of events that did not reach all subscribers.
type PublishAllError = eventbus.PublishAllError

// A Registry finds agents by id, type, capability and node.
type Registry = registry.Registry

// A Record describes an agent, for Registry.Register and Registry.Update.
type Record = registry.Record

// An Entry is what the registry knows of an agent at one moment. It never changes.
type Entry = registry.Entry

// A Histogram is a distribution of durations.
type Histogram = metric.Histogram

// A Bucket is a bucket of a Histogram.
type Bucket = metric.Bucket
