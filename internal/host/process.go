package host

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/policy"
)

// processesIn are the processes in a namespace. A process that even root may not look
// at (an LSM can do that) is not among them. All of the host's are looked at, for every
// container of a pod, so one call has to do for each.
func processesIn(entry string, inode uint64) (pids []int) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil
	}
	want := entry + ":[" + strconv.FormatUint(inode, 10) + "]"
	got := make([]byte, len(want)+1)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if n, err := unix.Readlinkat(int(proc.Fd()), name+"/ns/"+entry, got); err == nil && string(got[:n]) == want {
			pids = append(pids, pid)
		}
	}
	return pids
}

func openProcess(pid int) (*os.File, error) {
	return linux.OpenAt(nil, "/proc/"+strconv.Itoa(pid), unix.O_PATH|unix.O_DIRECTORY, 0)
}

// namespaceOf is the inode of a namespace of the process with that directory.
func namespaceOf(proc, entry string) (uint64, error) {
	dir, err := linux.OpenAt(nil, proc, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	return namespaceIn(dir, entry)
}

func namespaceIn(proc *os.File, entry string) (uint64, error) {
	text, err := linux.ReadLink(proc, "ns/"+entry)
	if err != nil {
		return 0, err
	}
	inode, ok := parseNamespace(entry, text)
	if !ok {
		return 0, fmt.Errorf("read %s/ns/%s: %q names no namespace", proc.Name(), entry, text)
	}
	return inode, nil
}

// parseNamespace reads what a link of /proc/<pid>/ns says: "net:[4026531833]".
func parseNamespace(entry, text string) (uint64, bool) {
	number, ok := strings.CutPrefix(text, entry+":[")
	number, closed := strings.CutSuffix(number, "]")
	inode, err := strconv.ParseUint(number, 10, 64)
	return inode, ok && closed && err == nil
}

// readMappings reads the mappings of a process' user namespace.
func readMappings(proc *os.File, fact *policy.Namespace) (err error) {
	if fact.UIDMappings, err = readMapping(proc, "uid_map"); err != nil {
		return err
	}
	fact.GIDMappings, err = readMapping(proc, "gid_map")
	return err
}

func readMapping(proc *os.File, name string) ([]specs.LinuxIDMapping, error) {
	data, err := readBelow(proc, name)
	if err != nil {
		return nil, err
	}
	var mappings []specs.LinuxIDMapping
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		var m specs.LinuxIDMapping
		if _, err := fmt.Sscan(lines.Text(), &m.ContainerID, &m.HostID, &m.Size); err != nil {
			return nil, fmt.Errorf("read %s/%s: %w", proc.Name(), name, err)
		}
		mappings = append(mappings, m)
	}
	return mappings, nil
}

func readBelow(dir *os.File, name string) ([]byte, error) {
	f, err := linux.OpenAt(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
