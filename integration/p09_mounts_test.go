package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/testbed"
)

// mountTypes are what a container with CAP_SYS_ADMIN may mount. It has parts of /proc and
// /sys masked, of which the kernel would refuse a new view (mount_too_revealing); the
// runtime makes one with the same parts masked.
func mountTypes(t *testing.T) []string {
	types := []string{"tmpfs", "bind", "overlay", "mqueue", "devpts", "cgroup", "fuse", "proc", "sysfs"}
	if kernelAtLeast(t, 6, 7) {
		types = append(types, "binfmt_misc")
	} else {
		t.Log("binfmt_misc is left out: user namespaces may mount it from Linux 6.7")
	}
	return types
}

func kernelAtLeast(t *testing.T, major, minor int) bool {
	t.Helper()
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	var haveMajor, haveMinor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &haveMajor, &haveMinor); err != nil {
		t.Fatal(err)
	}
	return haveMajor > major || haveMajor == major && haveMinor >= minor
}

func TestP09_MountsOfItsOwn(t *testing.T) {
	d := bed(t)
	for _, privileged := range []bool{false, true} {
		t.Run(fmt.Sprintf("privileged=%t", privileged), func(t *testing.T) {
			types := mountTypes(t)
			out := run(t, d, testbed.Container{
				Args: append([]string{"/probe", "mount"}, types...), Privileged: privileged, CapAdd: []string{"CAP_SYS_ADMIN"},
				Spec: device("/dev/fuse", unix.Mkdev(10, 229), 0, 0, 0o600),
			})
			report := attempts(t, out)
			if len(report) != len(types) {
				t.Fatalf("%d of %d types were tried", len(report), len(types))
			}
			for _, a := range report {
				if !a.Effect {
					t.Errorf("mount of %s: %s", a.Name, a.Errno)
				}
			}
		})
	}
}

// The commands of P09, and what findmnt shows of them. With one argument, mount(8)
// would repeat the options of /proc/mounts, where the kernel writes the host's IDs,
// which no user namespace may name.
func TestP09_TmpfsByHand(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{CapAdd: []string{"CAP_SYS_ADMIN"}})
	exec(t, task, "sh", "-ec", "mkdir /root/tmpfs; mount -t tmpfs tmpfs /root/tmpfs; echo x >/root/tmpfs/file; mount -o remount,ro /root/tmpfs /root/tmpfs")
	base := strings.Fields(mapping(t, task))[1]

	// Each exec has the container's mount namespace, so the mount is there.
	line := exec(t, task, "grep", " /root/tmpfs ", "/proc/self/mountinfo")
	fields := strings.Fields(line)
	options := fields[5] + "," + fields[len(fields)-1]
	for _, want := range []string{"ro", "relatime", "uid=" + base, "gid=" + base} {
		if !strings.Contains(","+options+",", ","+want+",") {
			t.Errorf("the options %s lack %s", options, want)
		}
	}
	result, err := task.Exec(deadline(t), "touch", "/root/tmpfs/file2")
	if err != nil {
		t.Fatal(err)
	}
	if result.Code == 0 || !strings.Contains(result.Stderr, "Read-only file system") {
		t.Errorf("writing after remount,ro: status %d, %s", result.Code, result.Stderr)
	}
	exec(t, task, "sh", "-ec", "mount -o remount,rw /root/tmpfs /root/tmpfs; touch /root/tmpfs/file2; umount /root/tmpfs; rmdir /root/tmpfs")
}

// A container's mounts are not seen on the host, nor by another container.
func TestP09_MountsStayInside(t *testing.T) {
	d := bed(t)
	volume := t.TempDir()
	mounts := []specs.Mount{testbed.Bind(volume, "/mnt")}
	task := start(t, d, testbed.Container{CapAdd: []string{"CAP_SYS_ADMIN"}, Mounts: mounts})
	exec(t, task, "sh", "-ec", "mkdir /mnt/sub; mount -t tmpfs inside /mnt/sub; touch /mnt/sub/hidden")
	hidden := volume + "/sub/hidden"
	if _, err := os.Stat(hidden); err == nil {
		t.Error("the host sees a mount of the container")
	}
	other := start(t, d, testbed.Container{Mounts: mounts})
	wantText(t, "what another container sees", exec(t, other, "ls", "/mnt/sub"), "")
}

// A nested user namespace may have mounts of its own too.
func TestP09_NestedUserNamespace(t *testing.T) {
	out := run(t, bed(t), testbed.Container{
		CapAdd: []string{"CAP_SYS_ADMIN"},
		Args:   []string{"unshare", "-U", "-r", "-m", "sh", "-ec", "mount -t tmpfs t /tmp; mount --bind /bin /tmp; cat /proc/self/uid_map"},
	})
	wantText(t, "nested uid_map", strings.Join(strings.Fields(out), " "), "0 0 1")
}

// A file system that a volume lies on can be released by the host while
// containers run that do not use it: the shims pin nothing.
func TestP09_HostCanUnmountWhileContainersRun(t *testing.T) {
	d := bed(t)
	directory := t.TempDir()
	image := directory + "/image"
	command(t, "truncate", "-s", "32M", image)
	command(t, "mkfs.ext4", "-q", image)
	point := dir(t, directory+"/point")
	command(t, "mount", "-o", "loop", image, point)
	start(t, d, testbed.Container{})
	command(t, "umount", point)
	if out := command(t, "losetup", "--associated", image); out != "" {
		t.Errorf("the loop device is still in use: %s", out)
		command(t, "losetup", "--detach", strings.SplitN(out, ":", 2)[0])
	}
}
