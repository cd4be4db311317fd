package pseudofs

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// What one look at the threads of a container may take. Of more threads, as many as
// fit are looked at, spread evenly over those that were listed in time, and what they
// do is taken for what all do (see [scale]). How many there are is counted by the
// kernel.
const (
	listTime  = 1500 * time.Microsecond // listing them
	stateTime = 1500 * time.Microsecond // looking at each
	mostPIDs  = 1 << 14                 // listed
	mostWhole = 1 << 11                 // listed where the kernel makes the whole list
	leastPIDs = 32                      // looked at in any case
)

// census looks at the threads of a container.
type census struct {
	proc   string // where a procfs of the host is
	level  int    // of the container's pid namespace: index in the line NSpid, -1 unknown
	turn   int    // number of the next look
	newest int32  // the highest thread of the last list
	last   headcount
}

// headcount is what one look found. States that are not known are those of the look
// before.
type headcount struct {
	Tasks
	known bool
}

// newCensus begins with the container's first process.
func newCensus(proc string, pid int) census {
	status, _ := os.ReadFile(proc + "/" + strconv.Itoa(pid) + "/status")
	return census{proc: proc, level: len(parseNSpid(status)) - 1}
}

// look counts the threads by what they do. It never takes longer than some
// milliseconds.
func (c *census) look(group cgroup) headcount {
	total, l := group.threads(), group.lists()
	if l.whole && total > mostWhole {
		c.last.Total, c.last.known = total, false
		return c.last
	}
	pids, complete := l.read(budget{deadline: time.Now().Add(listTime), pids: mostPIDs, least: leastPIDs})
	if total == 0 || complete && len(pids) > total {
		total = len(pids)
	}
	all := len(pids) // threads for which those looked at stand
	if !complete {
		all = max(all, total)
	}
	running, blocked := c.states(pids, all)
	c.last = headcount{
		Tasks: Tasks{Total: total, Running: running, Blocked: blocked, LastPID: c.lastPID(pids)},
		known: true,
	}
	return c.last
}

// states counts the threads that run, and that wait uninterruptibly, among all.
func (c *census) states(pids []int32, all int) (running, blocked int) {
	if len(pids) == 0 {
		return 0, 0
	}
	proc, err := linux.OpenPath(c.proc)
	if err != nil {
		return 0, 0
	}
	defer proc.Close()
	b := budget{deadline: time.Now().Add(stateTime), least: leastPIDs}
	buf := make([]byte, 256) // the state is in the first 100 bytes
	seen := 0
	for i := range spread(len(pids), c.turn) {
		if b.spent(seen) {
			break
		}
		seen++
		switch threadState(proc, pids[i], buf) {
		case 'R':
			running++
		case 'D':
			blocked++
		}
	}
	c.turn++
	return scale(running, seen, all), scale(blocked, seen, all)
}

// scale takes what n of those seen do for what as large a part of all does. Few say
// nothing about those that were not seen: one of 100 may be the only one of 10,000.
func scale(n, seen, all int) int {
	const few = 8
	if n < few {
		return n
	}
	return (n*all + seen/2) / seen
}

// spread gives each of 0 to n-1 once, so that any first part of them is spread
// evenly; where it begins depends on turn.
func spread(n, turn int) func(yield func(int) bool) {
	step := max(n*618/1000, 1) // by the golden section
	for gcd(step, n) != 1 {
		step++
	}
	return func(yield func(int) bool) {
		at := turn % n
		for range n {
			if !yield(at) {
				return
			}
			at = (at + step) % n
		}
	}
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// threadState is the letter for the state of a thread, 0 if it is gone. The file in
// task/ is about that one thread; the one above adds up all of the process.
// proc_pid_stat(5).
func threadState(proc *os.File, pid int32, buf []byte) byte {
	path := make([]byte, 0, 40)
	path = appendPID(path, pid)
	path = append(path, "/task/"...)
	path = appendPID(path, pid)
	path = append(path, "/stat"...)
	file, err := linux.OpenAt(proc, string(path), unix.O_RDONLY, 0)
	if err != nil {
		return 0
	}
	defer file.Close()
	n, _ := file.Read(buf)
	return parseState(buf[:n])
}

// parseState reads the state in "<pid> (<name>) <state> …"; a name can have
// anything in it.
func parseState(stat []byte) byte {
	_, rest, found := cutLast(stat, ") ")
	if !found || len(rest) == 0 {
		return 0
	}
	return rest[0]
}

func cutLast(b []byte, sep string) (before, after []byte, found bool) {
	i := bytes.LastIndex(b, []byte(sep))
	if i < 0 {
		return b, nil, false
	}
	return b[:i], b[i+len(sep):], true
}

// lastPID is the highest number that a thread has had in the container's pid
// namespace. Numbers are given in ascending order, in each namespace; so the
// highest of the host's belongs to the thread that is looked at.
func (c *census) lastPID(pids []int32) int {
	if len(pids) == 0 || c.level < 0 {
		return c.last.LastPID
	}
	newest := slices.Max(pids)
	if newest == c.newest {
		return c.last.LastPID
	}
	status, err := os.ReadFile(c.proc + "/" + strconv.Itoa(int(newest)) + "/status")
	numbers := parseNSpid(status)
	if err != nil || len(numbers) <= c.level { // gone, or of another namespace
		return c.last.LastPID
	}
	c.newest = newest
	return max(c.last.LastPID, numbers[c.level])
}

// parseNSpid reads the numbers of a process in /proc/<pid>/status, from the
// reader's pid namespace to its own (proc_pid_status(5)).
func parseNSpid(status []byte) []int {
	for line := range bytes.Lines(status) {
		list, ok := bytes.CutPrefix(line, []byte("NSpid:"))
		if !ok {
			continue
		}
		var numbers []int
		for field := range bytes.FieldsSeq(list) {
			n, _ := parseCount(field)
			numbers = append(numbers, int(n))
		}
		return numbers
	}
	return nil
}
