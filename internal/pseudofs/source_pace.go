package pseudofs

import "time"

// How long a value is used, in multiples of what it cost to collect: a container
// that makes its numbers expensive, with very many cgroups or threads, gets
// them less often. So each part of a view takes at most a thousandth of a CPU.
const (
	paceFactor = 1000
	paceMax    = 30 * time.Second
)

// paced is a value that is collected again only when it was used long enough.
// The zero value is collected at once.
type paced[T any] struct {
	value T
	until time.Duration // on the clock of the source
	cost  time.Duration // of collecting it the last time
}

// get gives the value, collecting it if the one at hand has expired by now.
func (p *paced[T]) get(s *Source, now time.Duration, collect func(*Source) T) T {
	if now < p.until {
		return p.value
	}
	start := time.Now()
	p.value = collect(s)
	p.until = now + p.hold(time.Since(start))
	return p.value
}

// hold says how long a value that took cost is good for. A thread that waits for
// a CPU takes long once and is no reason: it counts only when the value was
// expensive twice in a row.
func (p *paced[T]) hold(cost time.Duration) time.Duration {
	last := p.cost
	p.cost = cost
	return min(paceFactor*min(cost, last), paceMax)
}
