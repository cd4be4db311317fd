package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage is what a container uses, as its cgroup accounts it, what it has made below included.
type usage struct {
	// CPU is the time that it used on all processors.
	CPU time.Duration `json:"cpuNanoseconds"`
	// Memory is without the page cache that nobody has used for a while, in bytes, and
	// MemoryMax the limit; 0: there is none.
	Memory    uint64 `json:"memoryBytes"`
	MemoryMax uint64 `json:"memoryMaxBytes,omitempty"`
	// Pids are its processes and threads, and PidsMax the limit; 0: there is none.
	Pids    uint64 `json:"pids"`
	PidsMax uint64 `json:"pidsMax,omitempty"`
}

// cgroupsOf are the directories of a container, by v1's controller, or "" for v2, as runc has
// written them down.
func cgroupsOf(bundle string) map[string]string {
	var options struct {
		Root string `json:"root"`
	}
	if data, err := os.ReadFile(filepath.Join(bundle, "options.json")); err == nil {
		_ = json.Unmarshal(data, &options)
	}
	if options.Root == "" {
		options.Root = "/run/containerd/runc"
	}
	var state struct {
		CgroupPaths map[string]string `json:"cgroup_paths"`
	}
	data, err := os.ReadFile(filepath.Join(options.Root, filepath.Base(filepath.Dir(bundle)), filepath.Base(bundle), "state.json"))
	if err != nil || json.Unmarshal(data, &state) != nil {
		return nil
	}
	return state.CgroupPaths
}

// usageOf reads them; false: it is not running any more.
func usageOf(dirs map[string]string) (usage, bool) {
	var u usage
	one := func(controller, name string) string {
		data, _ := os.ReadFile(filepath.Join(dirs[controller], name))
		return strings.TrimSpace(string(data))
	}
	if dirs["memory"] == "" && dirs["cpuacct"] == "" { // v2
		if _, err := os.Stat(filepath.Join(dirs[""], "cgroup.procs")); dirs[""] == "" || err != nil {
			return u, false
		}
		cache := number(field(one("", "memory.stat"), "inactive_file"))
		u.Memory = number(one("", "memory.current"))
		u.Memory -= min(u.Memory, cache)
		u.CPU = time.Duration(number(field(one("", "cpu.stat"), "usage_usec"))) * time.Microsecond
		u.MemoryMax, u.Pids, u.PidsMax = number(one("", "memory.max")), number(one("", "pids.current")), number(one("", "pids.max"))
		return u, true
	}
	if _, err := os.Stat(filepath.Join(dirs["memory"], "cgroup.procs")); err != nil {
		return u, false
	}
	cache := number(field(one("memory", "memory.stat"), "total_inactive_file"))
	u.Memory = number(one("memory", "memory.usage_in_bytes"))
	u.Memory -= min(u.Memory, cache)
	if u.MemoryMax = number(one("memory", "memory.limit_in_bytes")); u.MemoryMax > math.MaxInt64/2 {
		u.MemoryMax = 0 // what v1 has for none
	}
	u.CPU = time.Duration(number(one("cpuacct", "cpuacct.usage")))
	u.Pids, u.PidsMax = number(one("pids", "pids.current")), number(one("pids", "pids.max"))
	return u, true
}

// number is 0 for what is none, "max" included.
func number(text string) uint64 {
	n, _ := strconv.ParseUint(text, 10, 64)
	return min(n, math.MaxInt64)
}

// field is the value of a key in a file of "key value" lines.
func field(text, key string) string {
	for line := range bytes.Lines([]byte(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(string(line)), " "); ok && name == key {
			return value
		}
	}
	return ""
}

// size is a number of bytes for people.
func size(n uint64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return strconv.FormatUint(n, 10)
	}
	f, unit := float64(n)/1024, 0
	for ; f >= 999.5 && unit < len(units)-1; unit++ {
		f /= 1024
	}
	digits := 1
	if f >= 99.95 {
		digits = 0
	}
	return strconv.FormatFloat(f, 'f', digits, 64) + units[unit:unit+1]
}
