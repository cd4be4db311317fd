package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/probe/attempt"
	"github.com/eci-runtime/eci/integration/testbed"
)

// attackArgs runs all attacks of the probe against path. They include 3,000
// rounds of a race between two threads.
func attackArgs(path string) []string { return []string{"/probe", "attack-ro", path, "3000"} }

// checkAttacks fails for each attack that had an effect, and if there were too
// few to mean anything.
func checkAttacks(t *testing.T, report []attempt.Attempt) {
	t.Helper()
	seen := map[string]bool{}
	for _, a := range report {
		prefix, _, nested := strings.Cut(a.Name, "/")
		if !nested {
			prefix = "plain"
		}
		seen[prefix] = true
		if a.Effect {
			t.Errorf("%s made it writable: %s %s", a.Name, a.Errno, a.Detail)
		}
		// The race means something only if its own, legal remounts succeed.
		if a.Name == "race" && a.Errno != "" {
			t.Errorf("race: %s", a.Errno)
		}
	}
	for _, prefix := range []string{"plain", "newns", "newuser", "int80"} {
		if !seen[prefix] {
			t.Errorf("no attack %q was made", prefix)
		}
	}
	if len(report) < 40 {
		t.Errorf("only %d attacks were made", len(report))
	}
}

func TestP08_ReadOnlyVolumeStaysReadOnly(t *testing.T) {
	d := bed(t)
	for _, kind := range volumeKinds {
		for _, privileged := range []bool{false, true} {
			name := kind.name + "/cap_sys_admin"
			if privileged {
				name = kind.name + "/privileged"
			}
			t.Run(name, func(t *testing.T) {
				volume := kind.make(t)
				file(t, filepath.Join(volume, "file"), 0, 0o666)
				before := listing(t, volume)
				out := run(t, d, testbed.Container{
					Args: attackArgs("/mnt"), Privileged: privileged, CapAdd: []string{"CAP_SYS_ADMIN", "CAP_MKNOD"},
					Mounts: []specs.Mount{testbed.Bind(volume, "/mnt", "ro")},
				})
				checkAttacks(t, attempts(t, out))
				if after := listing(t, volume); after != before {
					t.Errorf("the volume changed:\n%s\nwas\n%s", after, before)
				}
			})
		}
	}
}

func TestP08_ReadOnlyFileStaysReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	file(t, path, 0, 0o666)
	out := run(t, bed(t), testbed.Container{
		Args: attackArgs("/etc/file"), Privileged: true,
		Mounts: []specs.Mount{testbed.Bind(path, "/etc/file", "ro")},
	})
	checkAttacks(t, attempts(t, out))
	if data, err := os.ReadFile(path); err != nil || string(data) != "file" {
		t.Errorf("the file is now %q, %v", data, err)
	}
}

// "ro" reaches the mounts below a volume, so that no attack is needed there.
func TestP08_MountsBelowAReadOnlyVolume(t *testing.T) {
	volume := dir(t, filepath.Join(t.TempDir(), "volume"))
	below := dir(t, filepath.Join(volume, "below"))
	needTmpfsVolumes(t)
	mount(t, "below", below, "tmpfs", 0)
	file(t, filepath.Join(below, "file"), 0, 0o666)
	out := run(t, bed(t), testbed.Container{
		Args: attackArgs("/mnt/below"), Privileged: true,
		Mounts: []specs.Mount{testbed.Bind(volume, "/mnt", "ro")},
	})
	checkAttacks(t, attempts(t, out))
}

func TestP08_ReadOnlyRootfs(t *testing.T) {
	d := bed(t)
	for _, snapshotter := range []string{"overlayfs", "native"} {
		t.Run(snapshotter, func(t *testing.T) {
			out := run(t, d, testbed.Container{Args: attackArgs("/"), Privileged: true, ReadOnly: true, Snapshotter: snapshotter})
			checkAttacks(t, attempts(t, out))
		})
	}
	t.Run("directory", func(t *testing.T) {
		rootfs := plainRootfs(t)
		before := listing(t, filepath.Join(rootfs, "own"))
		out := run(t, d, testbed.Container{Args: attackArgs("/"), Privileged: true, ReadOnly: true, Rootfs: rootfs})
		checkAttacks(t, attempts(t, out))
		if after := listing(t, filepath.Join(rootfs, "own")); after != before {
			t.Errorf("the directory changed:\n%s\nwas\n%s", after, before)
		}
		if _, err := os.Stat(filepath.Join(rootfs, "written-by-attack")); err == nil {
			t.Error("an attack wrote to the directory")
		}
	})
}

// What the host has mounted read-only stays so below a writable volume.
func TestP08_ReadOnlyMountOfTheHost(t *testing.T) {
	volume := dir(t, filepath.Join(t.TempDir(), "volume"))
	below := dir(t, filepath.Join(volume, "below"))
	needTmpfsVolumes(t)
	mount(t, "below", below, "tmpfs", 0)
	file(t, filepath.Join(below, "file"), 0, 0o666)
	command(t, "mount", "-o", "remount,bind,ro", below)
	out := run(t, bed(t), testbed.Container{
		Args: attackArgs("/mnt/below"), Privileged: true,
		Mounts: []specs.Mount{testbed.Bind(volume, "/mnt")},
	})
	checkAttacks(t, attempts(t, out))
}

// A volume below a mount that runc makes can be taken away by the container,
// which made that mount, but it cannot be written.
func TestP08_BelowRuncsOwnMounts(t *testing.T) {
	d := bed(t)
	for _, target := range []string{"/run/vol", "/dev/shm/vol"} {
		t.Run(target, func(t *testing.T) {
			volume := ext4Volume(t)
			file(t, filepath.Join(volume, "file"), 0, 0o666)
			before := listing(t, volume)
			out := run(t, d, testbed.Container{
				Args: attackArgs(target), Privileged: true,
				Mounts: []specs.Mount{testbed.Bind(volume, target, "ro")},
			})
			report := slices.DeleteFunc(attempts(t, out), func(a attempt.Attempt) bool {
				return slices.Contains([]string{"umount", "umount-detach", "move"}, a.Name[strings.LastIndexByte(a.Name, '/')+1:])
			})
			for _, a := range report {
				if a.Effect {
					t.Errorf("%s made it writable: %s %s", a.Name, a.Errno, a.Detail)
				}
			}
			if after := listing(t, volume); after != before || len(report) < 30 {
				t.Errorf("after %d attacks the volume has\n%s\nand had\n%s", len(report), after, before)
			}
		})
	}
}

// The words of a person at a shell, as P08 has them.
func TestP08_RemountByHand(t *testing.T) {
	d := bed(t)
	volume := t.TempDir()
	result := runAny(t, d, testbed.Container{
		Args:   []string{"mount", "-o", "remount,rw", "/mnt", "/mnt"},
		CapAdd: []string{"CAP_SYS_ADMIN"},
		Mounts: []specs.Mount{testbed.Bind(volume, "/mnt", "ro")},
	})
	if result.Code == 0 || !strings.Contains(result.Stderr, "mount: permission denied (are you root?)") {
		t.Errorf("status %d, stderr %q", result.Code, result.Stderr)
	}
}

// The flags that a client gives to a volume are locked like "ro".
func TestP08_OtherFlagsAreLocked(t *testing.T) {
	d := bed(t)
	volume := t.TempDir()
	out := run(t, d, testbed.Container{
		Privileged: true,
		Args: []string{"sh", "-c", `grep ' /mnt ' /proc/self/mountinfo
			mount -o remount,bind,suid,dev,exec /mnt 2>/dev/null && echo remounted; cp /bin/busybox /mnt/ls; /mnt/ls 2>&1; true`},
		Mounts: []specs.Mount{testbed.Bind(volume, "/mnt", "nosuid", "noexec", "nodev")},
	})
	for _, flag := range []string{"nosuid", "nodev", "noexec"} {
		if !strings.Contains(out, flag) {
			t.Errorf("%s is missing: %s", flag, out)
		}
	}
	if strings.Contains(out, "remounted") || !strings.Contains(out, "Permission denied") {
		t.Errorf("the flags could be cleared: %s", out)
	}
}

// No volume brings device nodes, even if the client did not say nodev.
func TestP08_DeviceNodesOnVolumesAreDead(t *testing.T) {
	volume := ext4Volume(t)
	node := filepath.Join(volume, "null")
	if err := unix.Mknod(node, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		t.Fatal(err)
	}
	result := runAny(t, bed(t), testbed.Container{
		Args: []string{"sh", "-c", "cat /mnt/null"}, Privileged: true,
		Mounts: []specs.Mount{testbed.Bind(volume, "/mnt")},
	})
	if result.Code == 0 {
		t.Error("a device node on a volume could be opened")
	}
}

// The control: plain runc loses, so that the tests above can fail.
func TestP08_ControlUnderRunc(t *testing.T) {
	report := attempts(t, run(t, bed(t), testbed.Container{
		Runtime: "runc", Args: attackArgs("/mnt"), CapAdd: []string{"CAP_SYS_ADMIN"},
		Mounts: []specs.Mount{testbed.Bind(t.TempDir(), "/mnt", "ro")},
	}))
	effects := map[string]bool{}
	for _, a := range report {
		effects[a.Name] = a.Effect
	}
	for _, name := range []string{
		"remount", "bind-remount", "rbind-root-remount", "mount_setattr", "mount_setattr-recursive", "open_tree", "race",
		"newns/remount", "newns/mount_setattr", "int80/remount", "int80/mount_setattr", "umount",
	} {
		if !effects[name] {
			t.Errorf("%s had no effect under runc: the attack proves nothing", name)
		}
	}
}
