package idmap

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// otherNamespace is a mount namespace in which a tmpfs is mounted on dir.
func otherNamespace(t *testing.T, dir string, fill func() error) *os.File {
	t.Helper()
	var ns *os.File
	must(t, linux.OnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return err
		}
		if err := linux.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
			return err
		}
		if err := fill(); err != nil {
			return err
		}
		var err error
		ns, err = linux.OpenNS(0, "mnt")
		return err
	}))
	t.Cleanup(func() { ns.Close() })
	return ns
}

func stageWith(t *testing.T, host *os.File, fn func(s *Stage) error) {
	t.Helper()
	ns, err := NewUserNamespace(testRange)
	must(t, err)
	defer ns.Close()
	must(t, RunStage(StageConfig{Range: testRange, UserNS: ns, HostNS: host}, fn))
}

// TestStageHost: layers and volumes are found in the host's mount namespace and
// mounted in the caller's, of which the host sees nothing.
func TestStageHost(t *testing.T) {
	linuxtest.Root(t)
	hidden, at := linuxtest.Dir(t), target(t)
	var m Mount
	host := otherNamespace(t, hidden, func() error {
		m = layers(t, hidden, 3)
		return os.Mkdir(hidden+"/vol", 0o755)
	})
	linuxtest.NoLeak(t)
	if _, err := os.Stat(hidden + "/vol"); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the namespaces are one: %v", err)
	}
	for _, attach := range []bool{false, true} {
		stageWith(t, host, func(s *Stage) error {
			s.attach = attach
			root, name, err := s.Rootfs(Rootfs{Mounts: []Mount{m}, Target: at})
			if err != nil {
				return err
			}
			defer root.Close()
			if name != "overlay" {
				t.Errorf("strategy %s", name)
			}
			var src *Source
			if err := s.OnHost(func() (err error) {
				return s.OnHost(func() (err error) {
					src, err = OpenSource(nil, hidden+"/vol")
					return err
				})
			}); err != nil {
				return err
			}
			defer src.Close()
			tree, err := s.Volume(src, VolumeAttr{Recursive: true})
			if err != nil {
				return err
			}
			defer tree.Close()
			return attachAt(s, root, tree, "/vol", true)
		})
		if out, err := linuxtest.InUserNS(t, testRange.Base, testRange.Size, "make", at+"/vol/made", at+"/made"); err != nil {
			t.Fatal(out)
		}
		unmount(at + "/vol")
		unmount(at)
	}
	must(t, linux.OnThread(func() error {
		must(t, linux.EnterMountNS(host))
		wantOwner(t, hidden+"/vol/made", "1000:1001")
		info, err := os.ReadFile("/proc/thread-self/mountinfo")
		if strings.Contains(string(info), at) {
			t.Error("the host sees the stage")
		}
		return err
	}))
}

// TestStageState: after a hop, after work as the container's root, and after
// errors in both, the thread is what it was.
func TestStageState(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	host := otherNamespace(t, linuxtest.Dir(t), func() error { return nil })
	failure := errors.New("failure")
	own, err := os.Readlink("/proc/self/ns/mnt")
	must(t, err)
	var tid int
	stageWith(t, host, func(s *Stage) error {
		tid = unix.Gettid()
		for _, want := range []error{nil, failure} {
			err := s.OnHost(func() error {
				if got, _ := os.Readlink("/proc/thread-self/ns/mnt"); got == own {
					t.Error("not in the host's namespace")
				}
				return want
			})
			if !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
			if got, _ := os.Readlink("/proc/thread-self/ns/mnt"); got != own {
				t.Errorf("back in %s, not in %s", got, own)
			}
			err = s.AsRoot(func() error {
				return s.AsRoot(func() error {
					checkThread(t, testRange.Base)
					return want
				})
			})
			if !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
			checkThread(t, 0)
		}
		return nil
	})
	if tid == os.Getpid() {
		t.Error("the main thread was used")
	}
	waitGone(t, tid)
	err = RunStage(StageConfig{Range: testRange}, func(*Stage) error { return nil })
	if err == nil {
		t.Error("a stage without user namespace")
	}
	if err := RunStage(StageConfig{}, nil); !errors.Is(err, ErrInvalidRange) {
		t.Error(err)
	}
}

// checkThread: the thread has the file-system IDs id, and all capabilities.
func checkThread(t *testing.T, id uint32) {
	t.Helper()
	status, err := os.ReadFile("/proc/thread-self/status")
	must(t, err)
	fields := map[string]string{}
	for line := range strings.Lines(string(status)) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		fields[k] = v
	}
	if fields["CapEff"] != fields["CapPrm"] {
		t.Errorf("capabilities %s of %s", fields["CapEff"], fields["CapPrm"])
	}
	for _, k := range []string{"Uid", "Gid"} {
		if f := strings.Fields(fields[k]); len(f) != 4 || f[0] != "0" || f[3] != itoa(id) {
			t.Errorf("%s: %v", k, f)
		}
	}
}
