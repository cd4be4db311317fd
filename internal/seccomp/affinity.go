package seccomp

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// affinity answers sched_getaffinity(2) where a quota makes fewer processors visible than
// the thread may run on: programs count the bits to know how many threads to start. Whoever
// has bound itself to no more than the visible number gets what it has bound itself to. All
// else, errors included, is for the kernel to answer.
func affinity(r *request) answer {
	visible, narrowed, err := r.c.CPUs()
	if err != nil {
		r.c.logf("sched_getaffinity: %v", err)
	}
	tid, known := thread(r.t.pid, int32(r.args[0]))
	if err != nil || !narrowed || !known {
		return proceed()
	}
	mask, ok := affinityOf(tid, uint32(r.args[1]), r.abi.word, possible())
	if !ok || !narrow(mask, visible) {
		return proceed()
	}
	if err := r.t.put(r.args[2], mask); err != nil {
		return refuse(unix.EFAULT)
	}
	return value(int64(len(mask)))
}

// maxMask is a length in bytes that holds the processors of every kernel (NR_CPUS is 8192 at
// most on x86-64).
const maxMask = 8192

// affinityOf is the mask of a thread, as long as the kernel would give it to a caller with
// length bytes of room and an unsigned long of word bytes. ok is false where the kernel, which
// can have so many cpus, refuses, or where length is so large that its own product of bits
// overflows.
func affinityOf(tid int, length uint32, word int, cpus int64) (mask []byte, ok bool) {
	if length%uint32(word) != 0 || length >= 1<<29 || int64(length)*8 < cpus {
		return nil, false
	}
	// Ours has words of 8 bytes: what 4 bytes too many make a difference for was the question
	// above.
	mask = make([]byte, min(length+length%8, maxMask))
	n, err := linux.Affinity(tid, mask)
	if err != nil {
		return nil, false
	}
	return mask[:min(n, int(length))], true
}

// possible is how many processors the kernel can have, nr_cpu_ids: the highest number of
// the possible ones, and one. Where that is not known it is too large for any mask.
var possible = sync.OnceValue(func() int64 {
	const unknown = 1 << 40
	data, err := os.ReadFile("/sys/devices/system/cpu/possible")
	if err != nil {
		return unknown
	}
	list := strings.TrimSpace(string(data))
	last, err := strconv.ParseInt(list[strings.LastIndexAny(list, "-,")+1:], 10, 32)
	if err != nil {
		return unknown
	}
	return last + 1
})

// narrow takes processors from a mask until as many are left as are visible: visible ones,
// and if these are too few, the lowest. It tells whether there was one to take.
func narrow(mask []byte, visible []int) bool {
	var cpus []int
	for i := range 8 * len(mask) {
		if mask[i/8]&(1<<(i%8)) != 0 {
			cpus = append(cpus, i)
		}
	}
	if len(cpus) <= len(visible) || len(visible) == 0 {
		return false
	}
	slices.SortStableFunc(cpus, func(a, b int) int {
		return rank(visible, a) - rank(visible, b)
	})
	for _, cpu := range cpus[len(visible):] {
		mask[cpu/8] &^= 1 << (cpu % 8)
	}
	return true
}

// rank is 0 for a visible processor, 1 for another one.
func rank(visible []int, cpu int) int {
	if slices.Contains(visible, cpu) {
		return 0
	}
	return 1
}

// thread is the host's number of the thread that caller means by tid; known is false where
// that cannot be told, or there is none. Before Linux 6.11 only the caller itself and its
// process are known.
func thread(caller int, tid int32) (host int, known bool) {
	if tid == 0 {
		return caller, true
	}
	ns, err := linux.OpenNS(caller, "pid")
	if err != nil {
		return 0, false
	}
	defer ns.Close()
	if host, err := linux.ThreadOf(ns, int(tid)); err == nil {
		return host, true
	}
	return numbered(caller, tid)
}

// numbered compares tid with the numbers that the caller and its process have in their own
// pid namespace: the last ones of NSpid and NStgid, proc_pid_status(5).
func numbered(caller int, tid int32) (host int, known bool) {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(caller) + "/status")
	if err != nil {
		return 0, false
	}
	want := []byte(strconv.Itoa(int(tid)))
	for line := range bytes.Lines(status) {
		fields := bytes.Fields(line)
		if len(fields) < 2 || !bytes.Equal(fields[len(fields)-1], want) {
			continue
		}
		switch name := string(fields[0]); name {
		case "NSpid:":
			return caller, true
		case "NStgid:":
			host, err := strconv.Atoi(string(fields[1]))
			return host, err == nil
		}
	}
	return 0, false
}
