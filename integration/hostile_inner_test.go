package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eci-runtime/eci/integration/testbed"
)

// TestHostileAgent_InnerNamespaces: who has no right to what the client keeps read-only or masks
// does not get it by a user namespace, where everybody may mount a proc of their own: the kernel
// holds what the agent has put there.
func TestHostileAgent_InnerNamespaces(t *testing.T) {
	d := bed(t)
	for _, user := range []string{"", "1000"} {
		task := start(t, d, testbed.Container{User: user})
		before := exec(t, task, "cat", "/proc/sys/kernel/shmmni")
		out := exec(t, task, "unshare", "-Urmpf", "sh", "-c", `
			mount -t tmpfs none /tmp && mkdir /tmp/p && mount -t proc proc /tmp/p && echo mounted
			umount -l /tmp/p/sys && echo unmounted
			mount -o remount,bind,rw /tmp/p/sys && echo writable
			umount -l /tmp/p/keys && echo unmasked
			echo 4321 >/tmp/p/sys/kernel/shmmni && echo written
			mount --bind /tmp/p/sys /mnt && mount -o remount,bind,rw /mnt && echo copied
			true`)
		if strings.TrimSpace(out) != "mounted" {
			t.Errorf("user %q: %s", user, out)
		}
		if after := exec(t, task, "cat", "/proc/sys/kernel/shmmni"); after != before {
			t.Errorf("user %q: kernel.shmmni was %s and is %s", user, before, after)
		}
	}
}

// TestHostileAgent_ProcessMountedOver: for /proc/self, the shim reads nothing that a caller has
// mounted over its process. What is tried leads to a large file of the host.
func TestHostileAgent_ProcessMountedOver(t *testing.T) {
	d := bed(t)
	file := filepath.Join(t.TempDir(), "file")
	succeed(t, os.WriteFile(file, nil, 0o600))
	succeed(t, os.Truncate(file, 300<<20))
	task := start(t, d, testbed.Container{User: "1000"})
	shim := shimOf(t, d, task.ID)
	result, err := task.Exec(deadline(t), "unshare", "-Urm", "sh", "-c",
		"mount -t tmpfs none /proc/$$ && ln -s "+file+" /proc/$$/status && echo ready; exec umount /proc/self/x")
	if err != nil || !strings.Contains(result.Stdout, "ready") {
		t.Fatal(result, err)
	}
	if kib := residentKiB(t, shim); kib > 100<<10 {
		t.Errorf("the shim has grown to %d kB", kib)
	}
}

// TestHostileAgent_SharedProc: copies of a proc that is shared, as an engine inside makes it and
// asks for with each of its containers, leave no mount behind.
func TestHostileAgent_SharedProc(t *testing.T) {
	task := start(t, bed(t), testbed.Container{CapAdd: []string{"CAP_SYS_ADMIN"}})
	out := exec(t, task, "sh", "-ec", `
		mount --make-rshared /proc
		wc -l </proc/self/mountinfo
		for i in 1 2 3; do /probe clone-tree /proc >/dev/null; done
		wc -l </proc/self/mountinfo`)
	if n := strings.Fields(out); len(n) != 2 || n[0] != n[1] {
		t.Errorf("mounts before and after: %v", n)
	}
}
