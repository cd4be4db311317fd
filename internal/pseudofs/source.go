package pseudofs

import (
	"os"
	"sync"
	"time"

	"github.com/eci-runtime/eci/internal/linux"
)

// Source collects the numbers of a container. It is for any number of goroutines.
//
// What it collects is bounded: see [paced] for how often, and [census] for the
// threads.
type Source struct {
	boottime time.Duration
	clock    func() time.Duration // CLOCK_BOOTTIME of the host

	mu      sync.Mutex // protects what follows
	closed  bool
	group   cgroup // nil: no container yet
	machine hostMachine
	people  census
	sampler sampler

	cpus     paced[shownCPUs]
	cpu      paced[CPUTime]
	perCPU   paced[map[int]CPUTime]
	tasks    paced[headcount]
	memory   paced[Memory]
	devices  paced[[]DeviceIO]
	pressure paced[map[string][]byte]
}

// shownCPUs are those that a container sees, and whether a quota narrowed them.
type shownCPUs struct {
	list     []int
	narrowed bool
}

// NewSource is the source of a container whose clock shows 0 when CLOCK_BOOTTIME of
// the host is boottime. Until the container is set, it has the host's size and uses
// nothing.
func NewSource(boottime time.Duration) *Source {
	s := &Source{boottime: boottime, machine: newMachine()}
	s.clock = func() time.Duration {
		now, err := linux.Boottime()
		if err != nil { // cannot be: Linux 2.6.39
			return boottime
		}
		return now
	}
	return s
}

// SetContainer tells the directories of the container's cgroup, below the names of
// v1's controllers or below "" for v2, and its first process, as the host numbers
// it. A directory that cannot be opened is one without files. Called again, it
// replaces them.
func (s *Source) SetContainer(cgroups map[string]string, pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if s.group != nil {
		s.group.close()
	}
	s.group = openCgroup(cgroups)
	s.people = newCensus(s.machine.proc, pid)
	s.forget()
}

// SetBoottime corrects CLOCK_BOOTTIME of the host at which the container's clock shows 0.
func (s *Source) SetBoottime(boottime time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.boottime = boottime
	s.forget()
}

// forget lets everything be collected anew.
func (s *Source) forget() {
	s.cpus, s.cpu, s.perCPU = paced[shownCPUs]{}, paced[CPUTime]{}, paced[map[int]CPUTime]{}
	s.tasks, s.memory = paced[headcount]{}, paced[Memory]{}
	s.devices, s.pressure = paced[[]DeviceIO]{}, paced[map[string][]byte]{}
}

// View collects the parts of a view that are needed. They must not be changed:
// the next view may have the same. [os.ErrClosed] after Close.
func (s *Source) View(need Need) (*View, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, os.ErrClosed
	}
	now := s.clock()
	v := &View{Wall: time.Now(), Uptime: s.uptime(now)}
	if need&NeedCPUs != 0 {
		v.CPUs = s.cpus.get(s, now, (*Source).collectCPUs).list
	}
	if need&NeedPerCPU != 0 {
		v.PerCPU = s.perCPU.get(s, now, (*Source).collectPerCPU)
		v.CPU = sumCPUs(v.PerCPU)
	}
	if need&(NeedCPU|NeedPerCPU) != 0 && v.PerCPU == nil {
		v.CPU = s.cpu.get(s, now, (*Source).collectCPU)
	}
	if need&NeedLoad != 0 {
		v.Load = s.loadavg(now)
	}
	if need&NeedTasks != 0 {
		v.Tasks = s.count(now).Tasks
	}
	if need&NeedMemory != 0 {
		v.Memory = s.memory.get(s, now, (*Source).collectMemory)
	}
	if need&NeedDevices != 0 {
		v.Devices = s.devices.get(s, now, (*Source).collectDevices)
	}
	if need&NeedPressure != 0 {
		v.PSI = s.pressure.get(s, now, (*Source).collectPressure)
	}
	return v, nil
}

// CPUs are those that the container sees: of its effective cpuset, the first so
// many as the least CPU quota of its cgroup and those above is worth, rounded up, at
// least one. narrowed: the quota left some out. [os.ErrClosed] after Close.
func (s *Source) CPUs() (cpus []int, narrowed bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false, os.ErrClosed
	}
	c := s.cpus.get(s, s.clock(), (*Source).collectCPUs)
	return c.list, c.narrowed, nil
}

// Close ends the sampling and closes the files.
func (s *Source) Close() error {
	s.mu.Lock()
	if !s.closed && s.group != nil {
		s.group.close()
	}
	if stop := s.sampler.stop; !s.closed && stop != nil {
		close(stop)
	}
	s.closed = true
	s.mu.Unlock()
	s.sampler.done.Wait()
	return nil
}

func (s *Source) uptime(now time.Duration) time.Duration { return max(now-s.boottime, 0) }
