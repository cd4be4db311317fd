package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// settable is a setting that a container may write without effect on the host.
type settable struct {
	path    string   // below /proc/sys, unless it begins with a slash
	values  []string // valid, canonical; the first that differs from the host's is written
	invalid []string
	typed   string // what is written for a value, if the kernel reads it back otherwise; %s is the value
	same    string // a setting before it in the table that has the same value
}

// settables are the local and max nodes of emulation.md.
var settables = []settable{
	{"kernel/panic", []string{"10", "11"}, []string{"x", "99999999999", "1x"}, "\t%s \n", ""},
	{"kernel/panic_on_oops", []string{"1", "0"}, []string{"2", "-1"}, "", ""},
	{"kernel/printk", []string{"3\t4\t1\t7", "4\t4\t1\t7"}, []string{"x"}, "%s\n", ""},
	{"kernel/sysrq", []string{"176", "1"}, []string{"512", "-1"}, "", ""},
	{"kernel/kptr_restrict", []string{"1", "2"}, []string{"3", "-1"}, "", ""},
	{"kernel/dmesg_restrict", []string{"1", "0"}, []string{"2"}, "", ""},
	{"kernel/pid_max", []string{"30000", "31000"}, []string{"1", "4194305", "x"}, "", ""},
	{"kernel/yama/ptrace_scope", []string{"1", "2"}, []string{"4", "-1"}, "", ""},
	{"kernel/keys/root_maxkeys", []string{"1000001", "1000002"}, []string{"x", "-1"}, "0xf4241", ""},
	{"kernel/keys/root_maxbytes", []string{"25000001", "25000002"}, []string{"x"}, "", ""},
	{"kernel/keys/maxkeys", []string{"201", "202"}, []string{"x"}, "", ""},
	{"kernel/keys/maxbytes", []string{"20001", "20002"}, []string{"x"}, "", ""},
	// Less than the host has, so that the host's stays.
	{"fs/inotify/max_queued_events", []string{"0", "32768"}, []string{"x", "-1", "2147483648"}, "", ""},
	{"fs/inotify/max_user_instances", []string{"0", "1024"}, []string{"x", "-1", "2147483648"}, "", ""},
	{"fs/inotify/max_user_watches", []string{"0", "524288"}, []string{"x", "-1", "2147483648"}, "", ""},
	{"fs/file-max", []string{"10000", "10001"}, []string{"x", "-1"}, "", ""},
	{"fs/nr_open", []string{"1024", "2048"}, []string{"x", "0", "-1"}, "", ""},
	{"fs/protected_hardlinks", []string{"0", "1"}, []string{"2"}, "", ""},
	{"fs/protected_symlinks", []string{"0", "1"}, []string{"2"}, "", ""},
	{"vm/overcommit_memory", []string{"1", "2"}, []string{"3", "-1", "x"}, "", ""},
	{"vm/max_map_count", []string{"262144", "262145"}, []string{"-1", "x"}, "", ""},
	{"vm/swappiness", []string{"1", "2"}, []string{"201", "-1"}, "", ""},
	{"vm/dirty_ratio", []string{"30", "31"}, []string{"101", "-1"}, "", ""},
	{"vm/dirty_background_ratio", []string{"5", "6"}, []string{"101", "-1"}, "", ""},
	{"vm/mmap_min_addr", []string{"32768", "8192"}, []string{"x", "-1"}, "", ""},
	{"net/core/default_qdisc", []string{"fq", "fq_codel"}, nil, "%s\n", ""},
	{"net/core/rmem_max", []string{"425984", "425986"}, []string{"-1", "x"}, "", ""},
	{"net/core/wmem_max", []string{"425984", "425986"}, []string{"-1", "x"}, "", ""},
	{"net/core/netdev_max_backlog", []string{"5000", "5001"}, []string{"x"}, "", ""},
	{"net/ipv4/neigh/default/gc_thresh1", []string{"80000", "80001"}, []string{"-1", "x"}, "", ""},
	{"net/ipv4/neigh/default/gc_thresh2", []string{"90000", "90001"}, []string{"-1", "x"}, "", ""},
	{"net/ipv4/neigh/default/gc_thresh3", []string{"100000", "100001"}, []string{"-1", "x"}, "", ""},
	{"net/netfilter/nf_conntrack_max", []string{"1001", "1002"}, []string{"x", "-1"}, "", ""},
	{"net/netfilter/nf_conntrack_expect_max", []string{"1001", "1002"}, []string{"x"}, "", ""},
	{"net/netfilter/nf_conntrack_buckets", []string{"65536", "131072"}, []string{"x"}, "", ""},
	{"/sys/module/nf_conntrack/parameters/hashsize", []string{"65536", "131072"}, []string{"x"}, "", "net/netfilter/nf_conntrack_buckets"},
	{"net/ipv4/vs/conntrack", []string{"1", "0"}, []string{"x"}, "", ""},
	{"net/ipv4/vs/expire_nodest_conn", []string{"1", "0"}, []string{"x"}, "", ""},
}

func (s settable) file() string {
	if strings.HasPrefix(s.path, "/") {
		return s.path
	}
	return "/proc/sys/" + s.path
}

// other is a valid value that differs from what is there.
func (s settable) other(from string) string {
	i := slices.IndexFunc(s.values, func(v string) bool { return v != from })
	return s.values[i]
}

// setting is the probe's report about one write.
type setting struct{ Path, Value, Before, Errno, After string }

// change writes settings in a container.
func change(t *testing.T, task *testbed.Task, args ...string) []setting {
	t.Helper()
	return decode[[]setting](t, exec(t, task, append([]string{"/probe", "settings"}, args...)...))
}

// changeAs is change by a user of the container.
func changeAs(t *testing.T, task *testbed.Task, uid uint32, args ...string) []setting {
	t.Helper()
	return decode[[]setting](t, execAs(t, task, uid, append([]string{"/probe", "settings"}, args...)...))
}

// hostSetting is what the host has, "" if it lacks it.
func hostSetting(path string) string {
	data, _ := os.ReadFile(path)
	return strings.TrimSuffix(string(data), "\n")
}

// writableContainer is one whose /proc/sys the client has not made read-only.
func writableContainer(changes ...func(*specs.Spec)) testbed.Container {
	return testbed.Container{Spec: specOf(append([]func(*specs.Spec){readWrite}, changes...)...)}
}

func TestP14_EverySetting(t *testing.T) {
	d := bed(t)
	unchangedSettings(t)
	task, other := start(t, d, writableContainer()), start(t, d, writableContainer())
	for _, s := range settables {
		t.Run(s.path, func(t *testing.T) {
			path := s.file()
			host := hostSetting(path)
			if !exists(path) {
				wantAbsent(t, task, path)
				return
			}
			native := !sameDevice(t, task, path) // the kernel's own, per namespace
			n := nodes(t, exec(t, task, "/probe", "stat", path))[path]
			if want := nodes(t, probeHere(t, "stat", path))[path].Mode; n.Mode != want || !native && (n.UID != 0 || n.GID != 0) {
				t.Errorf("it is %v, want mode %s", n, want)
			}
			before := change(t, task, path+"?")[0].Before
			first := before // what another container has
			if !native {
				first = host
			}
			if before != first && s.same == "" {
				t.Errorf("it begins with %q, the host has %q", before, host)
			}
			value := s.other(before)
			got := change(t, task, path+"="+value)[0]
			if got.Errno != "" || got.After != value {
				t.Errorf("writing %q: %s, then it is %q", value, got.Errno, got.After)
			}
			if s.typed != "" {
				typed := strings.ReplaceAll(s.typed, "%s", value)
				if got := change(t, task, path+"="+typed)[0]; got.Errno != "" || !slices.Contains(s.values, got.After) {
					t.Errorf("writing %q: %s, then it is %q", typed, got.Errno, got.After)
				}
			}
			value = change(t, task, path+"?")[0].After // in another process: it stays
			for _, bad := range s.invalid {
				if got := change(t, task, path+"="+bad)[0]; got.Errno != "EINVAL" || got.After != value {
					t.Errorf("writing %q: %s, then it is %q, before %q", bad, got.Errno, got.After, value)
				}
			}
			if got := changeAs(t, task, 1000, path+"="+value)[0]; got.Errno != "EACCES" {
				t.Errorf("writing as another user: %q", got.Errno)
			}
			if got := change(t, other, path+"?")[0].Before; got != first {
				t.Errorf("another container has %q, want %q", got, first)
			}
			if after := hostSetting(path); after != host {
				t.Errorf("the host has %q, before %q", after, host)
			}
		})
	}
}

// sameDevice tells whether a node is of the file system that /proc/uptime is of: a
// pseudo-file.
func sameDevice(t *testing.T, task *testbed.Task, path string) bool {
	t.Helper()
	out := strings.Fields(exec(t, task, "stat", "-c", "%d", "/proc/uptime", path))
	return out[0] == out[1]
}

// The qdisc must be one that there is.
func TestP14_UnknownQdisc(t *testing.T) {
	unchangedSettings(t)
	task := start(t, bed(t), writableContainer())
	const path = "/proc/sys/net/core/default_qdisc"
	if got := change(t, task, path+"=eci-none")[0]; !slices.Contains([]string{"ENOENT", "EINVAL"}, got.Errno) || got.After != got.Before {
		t.Errorf("got %+v", got)
	}
}

// The words of P14.
func TestP14_SysctlByHand(t *testing.T) {
	unchangedSettings(t)
	task := start(t, bed(t), writableContainer())
	wantText(t, "sysctl -w", exec(t, task, "sysctl", "-w", "kernel.panic=10", "vm.overcommit_memory=1"), "kernel.panic = 10\nvm.overcommit_memory = 1")
	wantText(t, "sysctl", exec(t, task, "sysctl", "kernel.panic", "vm.overcommit_memory"), "kernel.panic = 10\nvm.overcommit_memory = 1")
	wantText(t, "what Elasticsearch asks for", exec(t, task, "sh", "-c", "sysctl -w vm.max_map_count=262144 && cat /proc/sys/vm/max_map_count"), "vm.max_map_count = 262144\n262144")
	wantText(t, "what a shell writes", exec(t, task, "sh", "-c", "echo 5 >/proc/sys/kernel/panic; echo 1 >>/proc/sys/vm/overcommit_memory; cat /proc/sys/kernel/panic /proc/sys/vm/overcommit_memory"), "5\n1")
}

// What the client leaves read-only is read-only, emulated or not.
func TestP14_ReadOnlyStaysReadOnly(t *testing.T) {
	unchangedSettings(t)
	task := start(t, bed(t), testbed.Container{CapAdd: []string{"CAP_SYS_ADMIN"}})
	for _, s := range settables {
		if path := s.file(); exists(path) && strings.HasPrefix(path, "/proc/sys/") {
			host := hostSetting(path)
			if got := change(t, task, path+"="+s.other(host))[0]; got.Errno != "EROFS" || got.After != got.Before {
				t.Errorf("%s: %+v", s.path, got)
			}
		}
	}
}

// A value belongs to the container, but those of the network to the pod.
func TestP14_PodSharesItsNetwork(t *testing.T) {
	unchangedSettings(t)
	d := freshBed(t, testbed.Options{})
	first := start(t, d, writableContainer(inPod("pod", "sandbox")))
	second := start(t, d, fromInside(first, "pod", readWrite))
	change(t, first, "/proc/sys/kernel/panic=77")
	for _, path := range []string{"/proc/sys/net/core/netdev_max_backlog", "/proc/sys/net/core/default_qdisc", "/proc/sys/net/ipv4/neigh/default/gc_thresh1"} {
		s := settables[slices.IndexFunc(settables, func(s settable) bool { return s.file() == path })]
		value := s.other(hostSetting(path))
		if got := change(t, first, path+"="+value)[0]; got.After != value {
			t.Errorf("%+v", got)
		}
		eventually(t, path+" in the second", func() (string, bool) {
			got := change(t, second, path+"?")[0].Before
			return got, got == value
		})
	}
	if got := change(t, second, "/proc/sys/kernel/panic?")[0].Before; got == "77" {
		t.Error("kernel.panic is shared, too")
	}
}

// neverWritable have no namespace and are not in the table: the value that is there is
// written back.
var neverWritable = []string{
	"vm/drop_caches", "vm/compact_memory", "kernel/core_pattern", "kernel/core_uses_pid", "kernel/modprobe", "kernel/hotplug", "kernel/threads-max",
	"kernel/randomize_va_space", "kernel/kexec_load_disabled", "kernel/unprivileged_bpf_disabled", "kernel/perf_event_paranoid", "kernel/tainted",
	"fs/mount-max", "fs/suid_dumpable", "fs/pipe-max-size", "fs/aio-max-nr", "debug/exception-trace", "vm/min_free_kbytes", "vm/overcommit_ratio", "vm/panic_on_oom",
	"dev/cdrom/autoclose", "abi/vsyscall32",
}

func TestP14_TheRestIsNotWritable(t *testing.T) {
	unchangedSettings(t)
	d := bed(t)
	for name, c := range map[string]testbed.Container{
		"privileged":        {Privileged: true},
		"writable settings": writableContainer(),
	} {
		t.Run(name, func(t *testing.T) {
			task := start(t, d, c)
			for _, path := range neverWritable {
				path = "/proc/sys/" + path
				if !exists(path) {
					continue
				}
				host := hostSetting(path)
				if host == "" {
					host = "0" // it cannot be read; nobody may get so far as to write
				}
				if got := change(t, task, path+"="+host)[0]; got.Errno != "EACCES" && got.Errno != "EPERM" {
					t.Errorf("%s: %q", path, got.Errno)
				}
			}
			known := map[string]bool{}
			for _, s := range settables {
				known[s.file()] = true
			}
			for _, path := range decode[[]string](t, exec(t, task, "/probe", "writable", "/proc/sys")) {
				if !known[path] && !namespaced(path) {
					t.Errorf("%s can be opened for writing", path)
				}
			}
		})
	}
}

// namespaced tells whether a setting is the kernel's business, which keeps it per network,
// IPC, UTS, user or pid namespace, or per mount of its own.
func namespaced(path string) bool {
	path = strings.TrimPrefix(path, "/proc/sys/")
	for _, prefix := range []string{"net/", "user/", "fs/mqueue/", "kernel/shm", "kernel/msg", "kernel/sem", "fs/binfmt_misc/"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return slices.Contains([]string{"kernel/hostname", "kernel/domainname", "kernel/auto_msgmni", "kernel/ns_last_pid", "kernel/pid_max"}, path)
}

// volatile settings count what happens, or are set by nobody.
var volatile = []string{"fs/", "kernel/random/", "kernel/ns_last_pid", "kernel/pty/nr", "net/netfilter/nf_conntrack_count", "kernel/tainted"}

// unchangedSettings asserts that all settings of the host are the same after the test, and
// puts back what is not.
func unchangedSettings(t *testing.T) {
	t.Helper()
	if runtimeName != "eci" {
		t.Skip("under plain runc the test would change the host's settings (ECI_TEST_RUNTIME)")
	}
	before := hostSettings(t)
	t.Cleanup(func() {
		for path, value := range hostSettings(t) {
			if old, ok := before[path]; ok && old != value {
				t.Errorf("the host's %s is %q, before %q", path, value, old)
				_ = os.WriteFile(path, []byte(old), 0)
			}
		}
	})
}

func hostSettings(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir("/proc/sys", func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil
		}
		name := strings.TrimPrefix(path, "/proc/sys/")
		known := slices.ContainsFunc(settables, func(s settable) bool { return s.path == name })
		if !known && slices.ContainsFunc(volatile, func(v string) bool { return strings.HasPrefix(name, v) }) {
			return nil
		}
		info, err := e.Info()
		if err != nil || info.Mode()&0o200 == 0 || info.Mode()&0o400 == 0 {
			return nil
		}
		if data, err := os.ReadFile(path); err == nil {
			found[path] = string(data)
		}
		return nil
	})
	succeed(t, err)
	const hashsize = "/sys/module/nf_conntrack/parameters/hashsize"
	if data, err := os.ReadFile(hashsize); err == nil {
		found[hashsize] = string(data)
	}
	return found
}
