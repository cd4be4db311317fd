package seccomp

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// mounted is a line of mountinfo, proc_pid_mountinfo(5).
type mounted struct {
	parent uint64
	dev    uint64
	point  string
	fstype string
}

// mounts are the mounts that the caller can reach, by their ID.
func (t *target) mounts() (map[uint64]mounted, error) {
	f, err := t.open("mountinfo", unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readMounts(f)
}

// mountedOn are what is mounted on a mount, and on what is, in no order.
func mountedOn(mounts map[uint64]mounted, id uint64) []mounted {
	var on []mounted
	below := map[uint64]bool{id: true}
	for grown := true; grown; {
		grown = false
		for id, m := range mounts {
			if below[m.parent] && !below[id] {
				below[id], grown = true, true
				on = append(on, m)
			}
		}
	}
	return on
}

func readMounts(f *os.File) (map[uint64]mounted, error) {
	data, err := io.ReadAll(io.LimitReader(f, mostMounts))
	if err != nil {
		return nil, err
	}
	if len(data) == mostMounts {
		return nil, fmt.Errorf("%s: %w", f.Name(), unix.E2BIG)
	}
	return parseMounts(string(data)), nil
}

// mostMounts is how much is read, in bytes: some 100 for each mount.
const mostMounts = 8 << 20

// unescape undoes what the kernel does to the characters that end a field.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

func parseMounts(text string) map[uint64]mounted {
	mounts := make(map[uint64]mounted, strings.Count(text, "\n"))
	for line := range strings.Lines(text) {
		before, after, _ := strings.Cut(line, " - ")
		fields, rest := strings.Fields(before), strings.Fields(after)
		if len(fields) < 6 || len(rest) < 1 {
			continue
		}
		id, err1 := strconv.ParseUint(fields[0], 10, 64)
		parent, err2 := strconv.ParseUint(fields[1], 10, 64)
		a, b, _ := strings.Cut(fields[2], ":")
		major, err3 := strconv.ParseUint(a, 10, 32)
		minor, err4 := strconv.ParseUint(b, 10, 32)
		if err1 != nil || err2 != nil || err3 != nil || err4 != nil {
			continue
		}
		mounts[id] = mounted{parent, unix.Mkdev(uint32(major), uint32(minor)), unescape.Replace(fields[4]), rest[0]}
	}
	return mounts
}
