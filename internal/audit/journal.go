package audit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/policy"
)

// journalSocket is where systemd-journald listens (systemd.io, "Native Journal
// Protocol").
const journalSocket = "/run/systemd/journal/socket"

// patience is how long a journal that does not listen is waited for.
var patience = unix.Timeval{Sec: 1}

// toJournal sends a datagram for every line.
func (l Log) toJournal(lines []Line) error {
	to := &unix.SockaddrUnix{Name: journalSocket}
	if l.Root != nil {
		to.Name = fmt.Sprintf("/proc/self/fd/%d%s", l.Root.Fd(), journalSocket)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &patience); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	for _, line := range lines {
		if err := unix.Sendto(fd, journalEntry(line), unix.MSG_NOSIGNAL, to); err != nil {
			return &os.PathError{Op: "send to", Path: journalSocket, Err: err}
		}
	}
	runtime.KeepAlive(l.Root)
	return nil
}

// journalEntry is a line in the words of the journal.
func journalEntry(l Line) []byte {
	var b bytes.Buffer
	for _, f := range []struct{ name, value string }{
		{"MESSAGE", message(l)},
		{"PRIORITY", strconv.Itoa(priority(l.Verdict))},
		{"SYSLOG_IDENTIFIER", "eci"},
		{"ECI_NAMESPACE", l.Namespace},
		{"ECI_CONTAINER", l.Container},
		{"ECI_ACTION", string(l.Action)},
		{"ECI_EXEC", l.Exec},
		{"ECI_IMAGE", l.Image},
		{"ECI_IMAGE_BY", string(l.ImageBy)},
		{"ECI_VERDICT", string(l.Verdict)},
		{"ECI_RULE", l.Rule},
		{"ECI_FIELD", l.Field},
		{"ECI_REASON", l.Reason},
		{"ECI_TRACE", l.Trace},
	} {
		switch value := cut(f.value, maxReason); {
		case value == "":
		case strings.ContainsAny(value, "\n\x00"):
			b.WriteString(f.name + "\n")
			_ = binary.Write(&b, binary.LittleEndian, uint64(len(value)))
			b.WriteString(value + "\n")
		default:
			b.WriteString(f.name + "=" + value + "\n")
		}
	}
	return b.Bytes()
}

// message is a line for people.
func message(l Line) string {
	text := fmt.Sprintf("%s %s of %s/%s", l.Verdict, l.Action, l.Namespace, l.Container)
	if l.Reason != "" {
		text += ": " + l.Reason
	}
	if l.Rule != "" {
		text += fmt.Sprintf(" (rule %s)", l.Rule)
	}
	return text
}

// priority is the level of syslog(3): informational, notice or warning.
func priority(v policy.Verdict) int {
	switch v {
	case policy.Allowed:
		return 6
	case policy.Granted:
		return 5
	}
	return 4
}
