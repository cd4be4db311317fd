package pseudofs

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// qdisc is the name of a queueing discipline (set_default_qdisc of
// net/core/sysctl_net_core.c): up to 15 characters that end with a line or NUL.
type qdisc struct{}

// qdiscs are those of the kernel's net/sched, and the ones that are built in. The host's
// own list is what it has loaded, and asking for another loads a module.
var qdiscs = []string{
	"bfifo", "cake", "cbs", "choke", "codel", "drr", "dualpi2", "etf", "ets", "fq", "fq_codel",
	"fq_pie", "gred", "hfsc", "hhf", "htb", "mq", "mqprio", "multiq", "netem", "noqueue", "pfifo",
	"pfifo_fast", "pfifo_head_drop", "pie", "prio", "qfq", "red", "sfb", "sfq", "skbprio", "taprio", "tbf",
}

// write: ENOENT if there is no such discipline.
func (qdisc) write(old string, off int64, data []byte) (string, int, error) {
	if off != 0 || len(data) == 0 {
		return old, len(data), nil
	}
	name := data
	if end := bytes.IndexAny(name, "\x00\n"); end >= 0 {
		name = name[:end]
	}
	name = name[:min(len(name), unix.IFNAMSIZ-1)]
	if !slices.Contains(qdiscs, string(name)) {
		return old, 0, unix.ENOENT
	}
	return string(name) + "\n", len(data), nil
}

// parameter is an unsigned int of a module (kstrtouint, base 0), not 0: one number, and
// perhaps one newline. Where it is written does not matter (kernfs).
type parameter struct{}

func (parameter) write(old string, _ int64, data []byte) (string, int, error) {
	if len(data) == 0 {
		return old, 0, nil
	}
	// What comes after a NUL was never there: the kernel takes the text for a string.
	text, _, _ := strings.Cut(string(data), "\x00")
	digits := strings.TrimPrefix(strings.TrimSuffix(text, "\n"), "+")
	v, length := parseUint([]byte(digits))
	switch {
	case length < 0 || length == len(digits) && v > 1<<32-1:
		return old, 0, unix.ERANGE
	case length == 0 || length != len(digits) || v == 0:
		return old, 0, unix.EINVAL
	}
	return strconv.FormatUint(v, 10) + "\n", len(data), nil
}
