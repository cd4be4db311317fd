package pseudofs

import (
	"bytes"
	"time"
)

func (s *Source) collectCPUs() shownCPUs {
	if s.group == nil {
		return shownCPUs{list: s.machine.cpus()}
	}
	list := s.group.cpus()
	if len(list) == 0 {
		list = s.machine.cpus()
	}
	list, narrowed := narrow(list, s.group.quota())
	return shownCPUs{list, narrowed}
}

func (s *Source) collectCPU() CPUTime {
	if s.group == nil {
		return CPUTime{}
	}
	return s.group.cpu()
}

func (s *Source) collectPerCPU() map[int]CPUTime {
	if s.group == nil {
		return nil
	}
	return s.group.perCPU()
}

func sumCPUs(perCPU map[int]CPUTime) CPUTime {
	var sum CPUTime
	for _, t := range perCPU {
		sum.User += t.User
		sum.System += t.System
	}
	return sum
}

func (s *Source) collectMemory() Memory {
	host := s.machine.memory()
	if s.group == nil {
		return host
	}
	return s.group.memory(host)
}

func (s *Source) collectDevices() []DeviceIO {
	if s.group == nil {
		return nil
	}
	return s.machine.name(s.group.devices(), s.clock())
}

func (s *Source) collectPressure() map[string][]byte {
	if s.group == nil {
		return nil
	}
	var psi map[string][]byte
	for _, resource := range []string{"cpu", "io", "memory"} {
		text := s.group.pressure(resource)
		if len(text) == 0 {
			continue
		}
		if psi == nil {
			psi = map[string][]byte{}
		}
		psi[resource] = bytes.Clone(text)
	}
	return psi
}

// count counts the threads. Their total is always new.
func (s *Source) count(now time.Duration) headcount {
	if s.group == nil {
		return headcount{}
	}
	c := s.tasks.get(s, now, func(s *Source) headcount { return s.people.look(s.group) })
	if total := s.group.threads(); total > 0 {
		c.Total = total
	}
	return c
}
