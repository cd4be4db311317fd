package testbed

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Leftovers lists what containers of this bed have left on the host, one line
// each, nothing when the host is clean: mounts, processes, cgroups, sockets,
// claims of ID ranges, bundles and state of runc. Containers that exist count
// too, so it is called when none should.
//
// Some of it goes a moment after a client's call has returned, because containerd
// and shims tidy up asynchronously. So Leftovers waits while there is something,
// until patience ends; 0 looks once. Lines that are known already are left out.
func (d *Daemon) Leftovers(patience time.Duration, known ...string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var left []string
	_ = poll(ctx, func() (bool, error) {
		left = slices.DeleteFunc(d.leftovers(), func(line string) bool { return slices.Contains(known, line) })
		return len(left) == 0, nil
	})
	return left
}

func (d *Daemon) leftovers() []string {
	var left []string
	for _, m := range hostMounts() {
		if strings.HasPrefix(m.point, d.Dir+"/") {
			left = append(left, "mount "+m.point)
		}
	}
	processes, err := d.Processes()
	if err != nil {
		left = append(left, err.Error())
	}
	for _, p := range processes {
		left = append(left, p.String())
	}
	for _, dir := range subgroups(d.Cgroup()) {
		left = append(left, "cgroup "+dir)
	}
	for what, dir := range map[string]string{
		"socket ":     d.path("s"),
		"claim ":      filepath.Join(d.StateDir(), "ranges"),
		"stage ":      filepath.Join(d.StateDir(), "stage"),
		"setting ":    filepath.Join(d.StateDir(), "sysctl"),
		"bundle ":     filepath.Dir(d.Bundle("x")),
		"runc state ": filepath.Join(d.RuncRoot(), d.Namespace),
		"runc state":  filepath.Join("/run/containerd/runc", d.Namespace),
	} {
		left = append(left, entries(what, dir)...)
	}
	return left
}

// Claims lists the runtime's claims on ID ranges, as "first-last", in no order.
func (d *Daemon) Claims() []string {
	var claims []string
	for _, line := range entries("", filepath.Join(d.StateDir(), "ranges")) {
		claims = append(claims, filepath.Base(line))
	}
	return claims
}

// entries lists a directory; hidden files are locks, not leftovers.
func entries(what, dir string) []string {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var lines []string
	for _, e := range list {
		if !strings.HasPrefix(e.Name(), ".") {
			lines = append(lines, what+filepath.Join(dir, e.Name()))
		}
	}
	return lines
}

type hostMount struct{ point, fsType string }

// hostMounts reads the mounts that this process sees, in the order of mounting;
// proc_pid_mountinfo(5).
func hostMounts() []hostMount {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	defer f.Close()
	var mounts []hostMount
	for lines := bufio.NewScanner(f); lines.Scan(); {
		left, right, ok := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(left)
		if kind := strings.Fields(right); ok && len(fields) > 4 && len(kind) > 0 {
			mounts = append(mounts, hostMount{point: unescape(fields[4]), fsType: kind[0]})
		}
	}
	return mounts
}

// unescape undoes the octal escapes of mountinfo.
func unescape(s string) string {
	for i := strings.IndexByte(s, '\\'); i >= 0 && i+4 <= len(s); {
		if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
			s = s[:i] + string(rune(c)) + s[i+4:]
		}
		next := strings.IndexByte(s[i+1:], '\\')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return s
}
