package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/containerd/api/types/runc/options"
	runtimeoptions "github.com/containerd/containerd/api/types/runtimeoptions/v1"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/eci-runtime/eci/integration/testbed"
)

const inSpec = "error in the container spec: "

// TestBadInput_Specs gives specs that are wrong in one place each. The refusal is
// one line that names the field and the reason, and nothing is left.
func TestBadInput_Specs(t *testing.T) {
	d := bed(t)
	notADirectory := filepath.Join(t.TempDir(), "file")
	file(t, notADirectory, 0, 0o644)
	twice := []specs.LinuxIDMapping{{HostID: 10 << 20, Size: rangeSize}, {HostID: 20 << 20, Size: rangeSize}}
	hostTwice := []specs.LinuxIDMapping{{HostID: 10 << 20, Size: rangeSize}, {ContainerID: rangeSize, HostID: 10 << 20, Size: rangeSize}}

	for _, c := range []struct {
		name string
		c    testbed.Container
		want []string
	}{
		{"no linux", testbed.Container{Spec: func(s *specs.Spec) { s.Linux = nil }}, []string{inSpec, "linux"}},
		{"no process", testbed.Container{Spec: func(s *specs.Spec) { s.Process = nil }}, []string{inSpec, "process"}},
		{"no root", testbed.Container{Spec: func(s *specs.Spec) { s.Root = nil }}, []string{inSpec, "root"}},
		{"no arguments", testbed.Container{Spec: func(s *specs.Spec) { s.Process.Args = nil }}, []string{inSpec, "process.args"}},
		{"relative working directory", testbed.Container{Spec: func(s *specs.Spec) { s.Process.Cwd = "dir" }}, []string{inSpec, "process.cwd"}},
		{"user that does not exist", testbed.Container{Spec: func(s *specs.Spec) { s.Process.User.UID = 65536 }}, []string{inSpec, "process.user.uid", "65536"}},
		{"rootfs is a file", testbed.Container{Rootfs: notADirectory}, []string{"root", notADirectory, "not a directory"}},
		{"rootfs is missing", testbed.Container{Rootfs: notADirectory + "-missing"}, []string{"root", notADirectory + "-missing", "no such file or directory"}},
		{"container IDs twice", testbed.Container{Spec: withMapping(twice, twice)}, []string{inSpec, "linux.uidMappings[1]", "twice"}},
		{"host IDs twice", testbed.Container{Spec: withMapping(hostTwice, hostTwice)}, []string{inSpec, "linux.uidMappings[1]", "twice"}},
		{"mount with ..", testbed.Container{Mounts: []specs.Mount{testbed.Bind("/tmp", "/mnt/../../x")}}, []string{inSpec, "mounts[", "destination", ".."}},
		{"relative target", testbed.Container{Mounts: []specs.Mount{testbed.Bind("/tmp", "mnt")}}, []string{inSpec, "mounts[", "destination"}},
		{"mount over the root", testbed.Container{Mounts: []specs.Mount{testbed.Bind("/tmp", "/")}}, []string{inSpec, "mounts[", "destination"}},
		{"mount over /dev", testbed.Container{Mounts: []specs.Mount{testbed.Bind("/dev", "/dev")}}, []string{inSpec, "mounts[", "/dev"}},
		{"source that does not exist", testbed.Container{Mounts: []specs.Mount{testbed.Bind("/eci-no-such", "/mnt")}}, []string{inSpec, "mounts[", "source", "/eci-no-such"}},
		{"relative source", testbed.Container{Mounts: []specs.Mount{testbed.Bind("tmp", "/mnt")}}, []string{inSpec, "mounts[", "source"}},
		{"unknown mount option", testbed.Container{Mounts: []specs.Mount{testbed.Bind("/tmp", "/mnt", "wrong")}}, []string{inSpec, "mounts[", "options", "wrong"}},
		{"overlay of host directories", testbed.Container{Mounts: []specs.Mount{{Type: "overlay", Source: "overlay", Destination: "/mnt", Options: []string{"lowerdir=/etc:/root"}}}}, []string{inSpec, "mounts[", "type", "overlay"}},
		{"device that does not exist", testbed.Container{Spec: device("/dev/nosuch", unix.Mkdev(240, 77), 0, 0, 0o666)}, []string{inSpec, "linux.devices[", "/dev/nosuch"}},
		{"device of an unknown type", testbed.Container{Spec: func(s *specs.Spec) {
			s.Linux.Devices = append(s.Linux.Devices, specs.LinuxDevice{Path: "/dev/x", Type: "q", Major: 1, Minor: 3})
		}}, []string{inSpec, "linux.devices[", "type"}},
		{"device outside of /dev, through a link", testbed.Container{Spec: device("/dev/../etc/null", unix.Mkdev(1, 3), 0, 0, 0o666)}, []string{inSpec, "linux.devices["}},
		{"namespace twice", testbed.Container{Spec: func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "pid"})
		}}, []string{inSpec, "linux.namespaces[", "pid"}},
		{"unknown namespace", testbed.Container{Spec: func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "moon"})
		}}, []string{inSpec, "linux.namespaces[", "moon"}},
		{"system control of the host", testbed.Container{Spec: func(s *specs.Spec) {
			s.Linux.Sysctl = map[string]string{"kernel.panic": "10"}
		}}, []string{"kernel.panic"}},
		{"text that breaks lines", testbed.Container{Mounts: []specs.Mount{testbed.Bind("/eci\nno\x1b[31msuch", "/mnt")}}, []string{inSpec, "mounts[", "source"}},
		{"options of an unknown type", testbed.Container{Options: wrapperspb.String("text")}, []string{"options", "google.protobuf.StringValue"}},
		{"empty options of an unknown type", testbed.Container{Options: &emptypb.Empty{}}, []string{"options", "google.protobuf.Empty"}},
		{"options that are no TOML", testbed.Container{Options: &runtimeoptions.Options{ConfigBody: []byte("=")}}, []string{"options", "TOML"}},
		{"options that name another binary", testbed.Container{Options: &options.Options{BinaryName: "/bin/busybox"}}, []string{"options", "/bin/busybox"}},
	} {
		t.Run(c.name, func(t *testing.T) { refused(t, d, c.c, c.want...) })
	}
	run(t, d, testbed.Container{})
}

func TestBadInput_FullPool(t *testing.T) {
	d := freshBed(t, testbed.Options{IDs: testbed.IDs{Base: 1 << 20, Size: rangeSize, End: 1<<20 + 2*rangeSize - 1}})
	first := start(t, d, testbed.Container{})
	start(t, d, testbed.Container{})
	before := len(d.Leftovers(0))
	refusedCreate(t, d, testbed.Container{}, "range", "1048576")
	if after := len(d.Leftovers(0)); after != before {
		t.Errorf("the refusal left something: %v", d.Leftovers(0))
	}
	if err := first.Delete(deadline(t)); err != nil {
		t.Fatal(err)
	}
	run(t, d, testbed.Container{})
}

// TestBadInput_Configuration: with a configuration that is wrong, no container
// starts; when it is mended, the next one does.
func TestBadInput_Configuration(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	good, err := os.ReadFile(d.ConfigFile())
	if err != nil {
		t.Fatal(err)
	}
	oldRunc := filepath.Join(t.TempDir(), "runc")
	if err := os.WriteFile(oldRunc, []byte("#!/bin/sh\necho runc version 1.1.15\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	noRunc := filepath.Join(t.TempDir(), "no-runc")
	if err := os.WriteFile(noRunc, []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	readOnly := t.TempDir()
	mount(t, "read-only", readOnly, "tmpfs", unix.MS_RDONLY)

	for _, c := range []struct {
		name, config string
		want         []string
	}{
		{"no TOML", "state_dir = ", []string{d.ConfigFile(), ":1:"}},
		{"unknown key", string(good) + "\nwrong_key = 1\n", []string{"wrong_key"}},
		{"size too small", string(good) + "\n[ids]\nsize = 1000\n", []string{"ids.size", "65536"}},
		{"pool smaller than a range", string(good) + "\n[ids]\nbase = 100000\nend = 120000\n", []string{"ids"}},
		{"relative state directory", strings.Replace(string(good), d.StateDir(), "eci", 1), []string{"state_dir"}},
		{"state directory that cannot be written", strings.Replace(string(good), d.StateDir(), readOnly+"/eci", 1), []string{"state directory", readOnly, "read-only file system"}},
		{"state directory below a file", strings.Replace(string(good), d.StateDir(), oldRunc+"/eci", 1), []string{"state directory", oldRunc, "not a directory"}},
		{"runc that is missing", strings.Replace(string(good), d.Programs.Runc, "/eci-no-such/runc", 1), []string{"runc", "/eci-no-such/runc", "no such file or directory"}},
		{"runc that is too old", strings.Replace(string(good), d.Programs.Runc, oldRunc, 1), []string{"runc", oldRunc, "1.1", "1.2"}},
		{"runc that is none", strings.Replace(string(good), d.Programs.Runc, noRunc, 1), []string{"runc", noRunc}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(d.ConfigFile(), []byte(c.config), 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, d, testbed.Container{}, c.want...)
		})
	}
	t.Run("missing", func(t *testing.T) {
		if err := os.Remove(d.ConfigFile()); err != nil {
			t.Fatal(err)
		}
		refused(t, d, testbed.Container{}, d.ConfigFile(), "no such file or directory")
	})
	t.Run("writable by others", func(t *testing.T) {
		if err := os.WriteFile(d.ConfigFile(), good, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(d.ConfigFile(), 0o666); err != nil {
			t.Fatal(err)
		}
		refused(t, d, testbed.Container{}, d.ConfigFile())
	})
	if err := os.Chmod(d.ConfigFile(), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, d, testbed.Container{})
}

// What fails inside runc, after everything was acquired, leaves nothing either.
func TestBadInput_FailuresInRunc(t *testing.T) {
	d := bed(t)
	for _, c := range []struct {
		name string
		c    testbed.Container
		want string
	}{
		{"program that is missing", testbed.Container{Args: []string{"/nosuch"}}, "/nosuch"},
		{"program that is a directory", testbed.Container{Args: []string{"/etc"}}, "/etc"},
		{"unknown seccomp call", testbed.Container{Spec: func(s *specs.Spec) {
			s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: "SCMP_ACT_NOSUCH"}
		}}, "SCMP_ACT_NOSUCH"},
		{"cgroup limit out of range", testbed.Container{Spec: func(s *specs.Spec) {
			s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: ptr(int64(4096))}
		}}, "memory"},
	} {
		t.Run(c.name, func(t *testing.T) { refused(t, d, c.c, c.want) })
	}
}

// A refusal of ctr is one line, too.
func TestBadInput_OneLineOfCtr(t *testing.T) {
	d := bed(t)
	id := d.UniqueID("ctr")
	args := append(d.RunArgs(runtimeName, id), "--rm", "--mount", "type=bind,src=/eci-no-such,dst=/mnt,options=rbind", testbed.BusyboxName, id, "true")
	_, stderr, err := d.Ctr(deadline(t), args...)
	if err == nil {
		t.Fatal("ctr run succeeded")
	}
	var lines []string
	for line := range strings.Lines(stderr) {
		if !strings.Contains(line, "DEPRECATION") { // of cgroup v1, by containerd
			lines = append(lines, line)
		}
	}
	if len(lines) != 1 || !strings.Contains(lines[0], inSpec) {
		t.Errorf("ctr wrote %q", lines)
	}
	checkClean(t, d)
}
