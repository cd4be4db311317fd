package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/cobra"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/host"
	"github.com/eci-runtime/eci/internal/linux"
)

// process is a row of eci ps.
type process struct {
	Namespace string      `json:"namespace"`
	Container string      `json:"container"`
	First     uint32      `json:"firstID"`
	Last      uint32      `json:"lastID"`
	Pod       string      `json:"pod,omitempty"`
	Mode      mode        `json:"mode"`
	Pid       int         `json:"pid,omitempty"`
	Started   *time.Time  `json:"started,omitempty"`
	Bundle    string      `json:"bundle"`
	ids       idmap.Range // as First and Last
}

// mode is how a container is isolated.
type mode string

const (
	// ownNamespace has a user namespace of its own.
	ownNamespace mode = "own"
	// shared is the user namespace of another container, of its pod for example.
	shared mode = "shared"
	// plainPod has a network that belongs to the host's user namespace.
	plainPod mode = "own, host's network owner"
	// stopped has no process.
	stopped mode = "no process"
)

func newPsCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "ps",
		Short: "list the containers of this runtime, with their host IDs",
		Long: `ps lists the containers that hold a range of host IDs. What it prints is read from the
runtime's state directory, from the containers' bundles and from /proc; no daemon is
asked.

The mode says how a container is isolated: "own" has a user namespace of its own,
"shared" that of another container, which has the same range; with "host's network
owner" it is not the administrator of its network, as in a pod without hostUsers: false.`,
		Example: `  eci ps
  eci ps --namespace k8s.io
  eci ps --json | jq -r '.[] | select(.pid == 4711) | .container'`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.ps() },
	}
}

func (a *app) ps() error {
	i, err := a.ink()
	if err != nil {
		return err
	}
	found, err := a.processes()
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(found)
	}
	rows := [][]cell{head("CONTAINER", "IDS", "PID", "UP", "POD", "MODE")}
	for _, p := range found {
		rows = append(rows, p.row())
	}
	i.table(rows)
	return nil
}

// processes are the containers that hold a range, of the namespace that was asked for.
func (a *app) processes() ([]process, error) {
	cfg, err := a.source().Load()
	if err != nil {
		return nil, err
	}
	claims, err := host.Pool(cfg).Claims()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the claims: %w", err)
	}
	found := []process{}
	for _, c := range claims {
		if p := describe(c); a.namespace == "" || p.Namespace == a.namespace {
			found = append(found, p)
		}
	}
	return found, nil
}

func (p process) row() []cell {
	pid, up := "-", "-"
	if p.Pid > 0 {
		pid = strconv.Itoa(p.Pid)
	}
	if p.Started != nil {
		up = span(time.Since(*p.Started))
	}
	pod := p.Pod
	if pod == "" {
		pod = "-"
	}
	style := map[mode]string{stopped: faint, plainPod: yellow}[p.Mode]
	return []cell{
		{printable(p.Namespace + "/" + shorten(p.Container)), bold},
		plain(p.ids.String()), plain(pid), plain(up),
		plain(printable(pod)),
		{string(p.Mode), style},
	}
}

// shorten cuts the IDs of engines, which are 64 hexadecimal digits.
func shorten(id string) string {
	if len(id) == 64 && strings.Trim(id, "0123456789abcdef") == "" {
		return id[:12]
	}
	return id
}

// describe finds out about the container that has a claim. What cannot be found is
// left out: a container may end at any moment.
func describe(c idmap.Claim) process {
	p := process{
		Namespace: filepath.Base(filepath.Dir(c.Owner)), Container: filepath.Base(c.Owner), Bundle: c.Owner,
		First: c.Base, Last: c.Last(), ids: c.Range, Mode: stopped,
	}
	var spec specs.Spec
	if data, err := os.ReadFile(filepath.Join(c.Owner, "config.json")); err == nil && json.Unmarshal(data, &spec) == nil {
		p.Pod = podOf(spec.Annotations)
	}
	pid := initPid(c)
	if pid == 0 {
		return p
	}
	p.Pid, p.Started, p.Mode = pid, startOf(pid), ownNamespace
	switch {
	case networkOwnedByHost(pid):
		p.Mode = plainPod
	case spec.Linux != nil && sharesUser(spec.Linux.Namespaces):
		p.Mode = shared
	}
	return p
}

// podOf is what the kubelet calls the pod of a container.
func podOf(annotations map[string]string) string {
	const prefix = "io.kubernetes.cri.sandbox-"
	name := annotations[prefix+"name"]
	if name == "" {
		return shorten(annotations[prefix+"id"])
	}
	return annotations[prefix+"namespace"] + "/" + name
}

func sharesUser(list []specs.LinuxNamespace) bool {
	for _, ns := range list {
		if ns.Type == specs.UserNamespace && ns.Path != "" {
			return true
		}
	}
	return false
}

// initPid is the container's first process, if it is still that: numbers are used
// again, but no other process has the container's range.
func initPid(c idmap.Claim) int {
	data, err := os.ReadFile(filepath.Join(c.Owner, "init.pid"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0
	}
	ids, err := os.ReadFile(fmt.Sprintf("/proc/%d/uid_map", pid))
	fields := bytes.Fields(ids)
	if err != nil || len(fields) < 2 || string(fields[1]) != strconv.FormatUint(uint64(c.Base), 10) {
		return 0
	}
	return pid
}

// networkOwnedByHost tells whether the network namespace of a process belongs to the
// user namespace of this one.
func networkOwnedByHost(pid int) bool {
	net, err := linux.OpenNS(pid, "net")
	if err != nil {
		return false
	}
	defer net.Close()
	owner, err := linux.UserNSOf(net)
	if err != nil {
		return false
	}
	defer owner.Close()
	mine, err := linux.OpenNS(0, "user")
	if err != nil {
		return false
	}
	defer mine.Close()
	a, errA := linux.StatFile(owner)
	b, errB := linux.StatFile(mine)
	return errA == nil && errB == nil && a.Dev == b.Dev && a.Ino == b.Ino
}

// startOf is when a process was started; nil if it has ended meanwhile.
func startOf(pid int) *time.Time {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	text := string(data)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // the name may hold anything
	const starttime = 22 - 3                                            // proc_pid_stat(5), from the state on
	if len(fields) <= starttime {
		return nil
	}
	ticks, err := strconv.ParseInt(fields[starttime], 10, 64)
	if err != nil {
		return nil
	}
	boot, err := linux.Boottime()
	if err != nil {
		return nil
	}
	const hz = 100 // USER_HZ, on all architectures that Go runs on
	t := time.Now().Add(time.Duration(ticks)*time.Second/hz - boot).Truncate(time.Second)
	return &t
}

// span is a duration in its largest unit.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
