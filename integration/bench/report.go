package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// machine says where and when the figures were taken.
type machine struct {
	Kernel  string    `json:"kernel"`
	CPU     string    `json:"cpu"`
	CPUs    int       `json:"cpus"`
	Cgroups string    `json:"cgroups"`
	State   string    `json:"state"` // file system of containerd's state and images
	Nice    int       `json:"nice"`
	Runc    string    `json:"runc"`
	Daemon  string    `json:"containerd"`
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended"`
	// LoadBefore and LoadAfter are the averages over one minute. The benchmark
	// itself brings the second to about 1.
	LoadBefore string `json:"loadBefore"`
	LoadAfter  string `json:"loadAfter"`
}

func observe(b *bench) *machine {
	m := &machine{CPU: cpuModel(), CPUs: runtime.NumCPU(), Cgroups: "v2", State: "disk", Nice: b.opts.nice, Began: time.Now(), LoadBefore: load()}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	if filepath.Dir(b.meter.dir) != "/sys/fs/cgroup" {
		m.Cgroups = "v1"
	}
	if b.opts.tmpfs {
		m.State = "tmpfs"
	}
	m.Runc, m.Daemon = version(b.bed.Programs.Runc), version(b.bed.Programs.Containerd)
	return m
}

// finish notes the end.
func (m *machine) finish() { m.Ended, m.LoadAfter = time.Now(), load() }

func (m *machine) String() string {
	return fmt.Sprintf("Linux %s, %d × %s, cgroup %s, state on %s, nice %d, load %s\n%s; %s",
		m.Kernel, m.CPUs, m.CPU, m.Cgroups, m.State, m.Nice, m.LoadBefore, m.Runc, m.Daemon)
}

func cpuModel() string {
	data, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func load() string {
	data, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(data), " ")
	return first
}

// version is the first line of what a program says of itself.
func version(program string) string {
	out, err := exec.Command(program, "--version").Output()
	if err != nil {
		return err.Error()
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return first
}

// sideReport is one side of a row.
type sideReport struct {
	Median  float64   `json:"median"`
	P20     float64   `json:"p20"`
	Samples []float64 `json:"samples"`
}

type rowReport struct {
	Name    string        `json:"name"`
	Group   string        `json:"group"`
	Unit    unit          `json:"unit"`
	Legend  string        `json:"legend"`
	Sides   [2]sideReport `json:"sides"`
	Ratio   comparison    `json:"ratio"`
	Target  string        `json:"target,omitempty"`
	Verdict string        `json:"verdict,omitempty"`
}

type report struct {
	Machine *machine    `json:"machine"`
	Sides   [2]string   `json:"sides"`
	Rows    []rowReport `json:"rows"`
	Left    *leftovers  `json:"leftovers,omitempty"`
	Errors  []string    `json:"errors,omitempty"`
}

// writeJSON writes everything that is known, so that whoever doubts a figure can
// compute it anew.
func writeJSON(path string, b *bench, m *machine, results map[string]result, errs []error) error {
	r := report{Machine: m, Sides: [2]string{b.sides[0].Label, b.sides[1].Label}, Left: b.left}
	for _, err := range errs {
		if err != nil {
			r.Errors = append(r.Errors, err.Error())
		}
	}
	for _, g := range groups {
		for _, row := range g.Rows {
			res, ok := results[row.Name]
			if !ok {
				continue
			}
			rr := rowReport{
				Name: row.Name, Group: g.Title, Unit: row.Unit, Legend: row.Legend, Ratio: res.comparison,
				Target: row.Target.show(row.Unit), Verdict: row.Target.verdict(res.Samples),
			}
			for i, s := range res.Samples {
				rr.Sides[i] = sideReport{Median: median(s), P20: p20(s), Samples: s}
			}
			r.Rows = append(r.Rows, rr)
		}
	}
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}
