// Package supervision starts agents, watches their ends, and starts them again, as OTP's
// supervisors do. It is built on what any program can use of package mabeam: places, which
// keep an agent's id and room over its lives, and services, which end before the agents of
// their system.
//
// A supervisor's child is an agent or another supervisor. Which children are restarted when
// one ends is the Strategy's concern, after which ends the RestartPolicy's, how often the
// Intensity's, and after which wait the Backoff's. One that would have to restart too often
// gives up: it stops its children, and has then ended itself, which the supervisor above
// deals with as with any other end, or the system if there is none above.
//
// Nothing that a child does, or does not do, keeps its supervisor from serving the others:
// starts and stops run on goroutines of their own, and a Child can bound both. While nothing
// is starting or stopping there is no goroutine.
package supervision
