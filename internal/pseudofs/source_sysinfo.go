package pseudofs

import "time"

// SysinfoNumbers are what sysinfo(2) tells, from the same numbers as
// /proc/meminfo and /proc/loadavg.
type SysinfoNumbers struct {
	TotalRAM, FreeRAM, SharedRAM, BufferRAM uint64 // bytes
	TotalSwap, FreeSwap                     uint64 // bytes

	Loads  [3]float64    // over 1, 5 and 15 minutes
	Procs  int           // threads, as in the kernel's
	Uptime time.Duration // since the container's start
}

// Sysinfo collects the numbers for sysinfo(2). [os.ErrClosed] after Close.
func (s *Source) Sysinfo() (SysinfoNumbers, error) {
	v, err := s.View(NeedMemory | NeedLoad | NeedTasks)
	if err != nil {
		return SysinfoNumbers{}, err
	}
	return v.sysinfo(), nil
}

func (v *View) sysinfo() SysinfoNumbers {
	m := account(&v.Memory)
	return SysinfoNumbers{
		TotalRAM:  m.Total,
		FreeRAM:   m.free,
		SharedRAM: m.sum("shmem"),
		TotalSwap: m.SwapTotal,
		FreeSwap:  m.swapFree,
		Loads:     v.Load,
		Procs:     max(v.Tasks.Total, runnable(v.Tasks)),
		Uptime:    v.Uptime,
	}
}
