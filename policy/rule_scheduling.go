package policy

import (
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// checkScheduling keeps a container from starving the host: the classes of processes
// and of I/O that come before all others, and the limits by which a process gets there
// later. It holds for every process.
func checkScheduling(r *request, d *Decision) *Violation {
	for _, v := range greedy(r.spec.Process) {
		if !r.tolerates(v, d) {
			return v
		}
	}
	return nil
}

// fair are the policies of sched(7) that share the processor by weight.
var fair = []specs.LinuxSchedulerPolicy{"", specs.SchedOther, specs.SchedBatch, specs.SchedIdle}

// The classes of I/O that share the disk, ioprio_set(2).
var fairIO = []specs.IOPriorityClass{"", specs.IOPRIO_CLASS_BE, specs.IOPRIO_CLASS_IDLE}

// greedy says what a process asks for that would put it before those of the host.
func greedy(p *specs.Process) []*Violation {
	var out []*Violation
	if s := p.Scheduler; s != nil {
		if !slices.Contains(fair, s.Policy) {
			out = append(out, denied("process.scheduler.policy", "with the scheduling policy %q a process would keep those of the host from running", s.Policy))
		}
		if s.Nice < 0 {
			out = append(out, denied("process.scheduler.nice", "a nice value of %d would put a process before those of the host", s.Nice))
		}
	}
	if io := p.IOPriority; io != nil && !slices.Contains(fairIO, io.Class) {
		out = append(out, denied("process.ioPriority.class", "with the I/O class %q a process would keep those of the host from reading and writing", io.Class))
	}
	for i, l := range p.Rlimits {
		if highest, ok := harmless[l.Type]; ok && max(l.Soft, l.Hard) > highest {
			out = append(out, denied(fmt.Sprintf("process.rlimits[%d]", i), "the limit %s above %d would let a process put itself before those of the host", l.Type, highest))
		}
	}
	return out
}

// harmless are the highest values of the limits that give priority without any
// capability, getrlimit(2): nice values down to 0 (20 minus the limit), and no
// real-time priority.
var harmless = map[string]uint64{"RLIMIT_NICE": 20, "RLIMIT_RTPRIO": 0}
