package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// identity reports who this process is.
func identity([]string) (any, error) {
	groups, err := os.Getgroups()
	if err != nil {
		return nil, err
	}
	status, err := statusLines()
	if err != nil {
		return nil, err
	}
	report := map[string]any{
		"uid": os.Getuid(), "gid": os.Getgid(), "euid": os.Geteuid(), "egid": os.Getegid(),
		"groups": groups, "pid": os.Getpid(), "capEff": status["CapEff"],
	}
	for _, name := range []string{"uid_map", "gid_map", "setgroups"} {
		report[name] = strings.Join(strings.Fields(readFile("/proc/self/"+name)), " ")
	}
	namespaces := map[string]string{}
	for _, name := range []string{"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"} {
		namespaces[name], _ = os.Readlink("/proc/self/ns/" + name)
	}
	report["namespaces"] = namespaces
	return report, nil
}

// capabilities reports the sets of capabilities, as hexadecimal masks, and what
// limits privileges otherwise.
func capabilities([]string) (any, error) {
	status, err := statusLines()
	if err != nil {
		return nil, err
	}
	report := map[string]string{}
	for _, name := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters"} {
		report[name] = status[name]
	}
	return report, nil
}

func statusLines() (map[string]string, error) {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, err
	}
	lines := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			lines[name] = strings.TrimSpace(value)
		}
	}
	return lines, nil
}

// clock reports the time since boot from every source, in seconds.
func clock([]string) (any, error) {
	report := map[string]float64{}
	for name, id := range map[string]int32{"boottime": unix.CLOCK_BOOTTIME, "monotonic": unix.CLOCK_MONOTONIC, "realtime": unix.CLOCK_REALTIME} {
		var ts unix.Timespec
		if err := unix.ClockGettime(id, &ts); err != nil {
			return nil, fmt.Errorf("clock_gettime %s: %w", name, err)
		}
		report[name] = float64(ts.Sec) + float64(ts.Nsec)/1e9
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return nil, fmt.Errorf("sysinfo: %w", err)
	}
	report["sysinfo"] = float64(info.Uptime)
	report["uptime"] = number(readFile("/proc/uptime"), 0)
	// proc_pid_stat(5), field 22, in ticks of 1/100 s on all architectures; the
	// command before it may hold spaces but ends with a parenthesis.
	stat := readFile("/proc/self/stat")
	report["start"] = number(stat[strings.LastIndexByte(stat, ')')+1:], 19) / 100
	return report, nil
}

func number(text string, field int) float64 {
	fields := strings.Fields(text)
	if field >= len(fields) {
		return -1
	}
	n, err := strconv.ParseFloat(fields[field], 64)
	if err != nil {
		return -1
	}
	return n
}

// node is a file as stat(2) sees it.
type node struct {
	Path   string            `json:"path"`
	Errno  string            `json:"errno,omitempty"`
	Type   string            `json:"type,omitempty"` // "-", "d", "l", "c", "b", "p" or "s"
	Mode   string            `json:"mode,omitempty"` // octal, with set-uid, set-gid and sticky
	UID    uint32            `json:"uid"`
	GID    uint32            `json:"gid"`
	Device string            `json:"device,omitempty"` // major:minor of a device node
	Link   string            `json:"link,omitempty"`
	Xattrs map[string]string `json:"xattrs,omitempty"` // values in hexadecimal
}

func statPaths(args []string) (any, error) {
	var nodes []node
	for _, path := range args {
		nodes = append(nodes, statNode(path))
	}
	return nodes, nil
}

// devices reports all of /dev but what other file systems show there.
func devices([]string) (any, error) {
	var nodes []node
	var top unix.Stat_t
	if err := unix.Stat("/dev", &top); err != nil {
		return nil, err
	}
	err := filepath.WalkDir("/dev", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		nodes = append(nodes, statNode(path))
		var st unix.Stat_t
		if e.IsDir() && unix.Lstat(path, &st) == nil && st.Dev != top.Dev {
			return fs.SkipDir
		}
		return nil
	})
	return nodes, err
}

func statNode(path string) node {
	n := node{Path: path}
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		n.Errno = errno(err)
		return n
	}
	n.Mode, n.UID, n.GID = fmt.Sprintf("%04o", st.Mode&0o7777), st.Uid, st.Gid
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		n.Type = "-"
	case unix.S_IFDIR:
		n.Type = "d"
	case unix.S_IFLNK:
		n.Type = "l"
		n.Link, _ = os.Readlink(path)
	case unix.S_IFIFO:
		n.Type = "p"
	case unix.S_IFSOCK:
		n.Type = "s"
	case unix.S_IFCHR, unix.S_IFBLK:
		n.Type = map[bool]string{true: "c", false: "b"}[st.Mode&unix.S_IFMT == unix.S_IFCHR]
		n.Device = fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	}
	n.Xattrs = xattrs(path)
	return n
}

func xattrs(path string) map[string]string {
	list := make([]byte, 64<<10)
	size, err := unix.Llistxattr(path, list)
	if err != nil || size == 0 {
		return nil
	}
	found := map[string]string{}
	for name := range strings.SplitSeq(strings.TrimRight(string(list[:size]), "\x00"), "\x00") {
		value := make([]byte, 64<<10)
		if n, err := unix.Lgetxattr(path, name, value); err == nil {
			found[name] = fmt.Sprintf("%x", value[:n])
		} else if !errors.Is(err, unix.ENODATA) {
			found[name] = errno(err)
		}
	}
	return found
}

// terminal reports about the terminal on standard input.
func terminal([]string) (any, error) {
	report := map[string]any{}
	for fd, name := range []string{"stdin", "stdout", "stderr"} {
		_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		report[name] = err == nil
	}
	report["name"], _ = os.Readlink("/proc/self/fd/0")
	if size, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ); err == nil {
		report["rows"], report["cols"] = size.Row, size.Col
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	report["controlling"] = err == nil
	if err == nil {
		_ = tty.Close()
	}
	report["node"] = statNode(fmt.Sprint(report["name"]))
	return report, nil
}

// readFile returns the content of a small file, or "".
func readFile(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(data)
}
