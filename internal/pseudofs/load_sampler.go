package pseudofs

import (
	"sync"
	"time"
)

// sampler keeps load averages while somebody reads them. There is no daemon for
// containers whose load nobody asks for: the time without samples is bridged by
// the CPU time that was used in it.
type sampler struct {
	load load
	read time.Duration // when they were read last, on the clock of the source
	stop chan struct{} // nil: nothing samples
	done sync.WaitGroup
}

// loadavg gives the averages, which are those of the last step, and sees to it that
// there are more steps. The lock is held.
func (s *Source) loadavg(now time.Duration) [3]float64 {
	l := &s.sampler
	l.read = now
	if s.group != nil && l.stop == nil {
		l.load = l.load.next(s.uptime(now), s.used(now), unknownThreads)
		stop := make(chan struct{})
		l.stop = stop
		l.done.Go(func() { s.sample(stop) })
	}
	return l.load.avg
}

// sample makes a step every five seconds, until nobody reads or the source is
// closed.
func (s *Source) sample(stop <-chan struct{}) {
	ticker := time.NewTicker(loadStep)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			if !s.step() {
				return
			}
		}
	}
}

// step makes one, and tells whether there is to be another.
func (s *Source) step() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	l, now := &s.sampler, s.clock()
	active := unknownThreads
	if c := s.count(now); c.known {
		active = float64(c.Running + c.Blocked)
	}
	l.load = l.load.next(s.uptime(now), s.used(now), active)
	if now-l.read >= loadAlone {
		l.stop = nil
		return false
	}
	return true
}

// used is the CPU time that the container has used.
func (s *Source) used(now time.Duration) time.Duration {
	used := s.cpu.get(s, now, (*Source).collectCPU)
	return used.User + used.System
}
