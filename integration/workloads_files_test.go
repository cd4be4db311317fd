package integration

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/eci-runtime/eci/integration/testbed"
)

// images are file systems in files, which a kernel would mount from a loop device.
const images = `mkdir -p /tmp/src /tmp/m; cd /tmp; echo content >src/file; chown 1000:2000 src/file
truncate -s 16M ext4.img; mkfs.ext4 -q ext4.img
mksquashfs src squash.img -quiet -no-progress >/dev/null
`

// TestWorkloads_Fuse: file systems of user space, by root, by a user with the help of the set-uid
// fusermount3, and in a user namespace made inside.
func TestWorkloads_Fuse(t *testing.T) {
	task := workloads(t, testbed.Container{CapAdd: systemAdmin, Spec: specOf(withFuse, withPrivileges)})
	workload(t, task, images+"useradd -m alice; chmod 644 *.img; chmod 755 /tmp/m")
	for name, script := range map[string]string{
		"squashfuse": "squashfuse squash.img m; cat m/file; stat -c %u:%g m/file; fusermount3 -u m",
		"ext4":       "fuse2fs ext4.img m; echo content >m/file; chown 1000:2000 m/file; fusermount3 -u m; fuse2fs -o ro ext4.img m; cat m/file; stat -c %u:%g m/file; umount m",
		"user":       `su alice -c 'cd; mkdir -p m; squashfuse /tmp/squash.img m; cat m/file; stat -c %u:%g m/file; findmnt -n -o FSTYPE m >&2; fusermount3 -u m'`,
		"nested":     `su alice -c 'unshare -Urm sh -ec "squashfuse /tmp/squash.img /tmp/m; cat /tmp/m/file; echo 1000:2000"'`,
	} {
		t.Run(name, func(t *testing.T) {
			out := workload(t, task, "cd /tmp\n"+script)
			if !strings.HasPrefix(out, "content\n1000:2000\n") {
				t.Errorf("got %q", out)
			}
		})
	}
	if out := shell(t, task, "findmnt -n -t fuse.squashfuse,fuse.fuse2fs,fuseblk,fuse.ext2 || true; grep /tmp/m /proc/self/mountinfo || true"); out != "" {
		t.Errorf("file systems are left: %s", out)
	}
}

// TestWorkloads_Loop: a loop device is a device of the host, and its file systems are the host
// kernel's to parse. The refusal says so, whatever the container holds.
func TestWorkloads_Loop(t *testing.T) {
	for name, c := range map[string]testbed.Container{
		"by default": {CapAdd: systemAdmin},
		"privileged": {Privileged: true, Spec: withPrivileges},
	} {
		t.Run(name, func(t *testing.T) {
			task := workloads(t, c)
			out := workload(t, task, images+`fails mount -o loop ext4.img m
fails losetup -f ext4.img
mknod /dev/loop0 b 7 0 || true; mknod /dev/loop-control c 10 237 || true; ls /dev/loop* || true
fails mount -t ext4 ext4.img m`)
			if !regexp.MustCompile(`(?s)^mount: .*Operation not permitted.*cannot find an unused loop device.*mknod: .*Operation not permitted.*mknod: .*Operation not permitted.*cannot access '/dev/loop\*'.*mount: .*Operation not permitted`).MatchString(out) {
				t.Errorf("got %s", out)
			}
		})
	}
}

// TestWorkloads_Binfmt: a container has handlers of its own for binaries, from Linux 6.7 on.
func TestWorkloads_Binfmt(t *testing.T) {
	task := workloads(t, testbed.Container{CapAdd: systemAdmin})
	beside := workloads(t, testbed.Container{CapAdd: systemAdmin})
	const mount = "mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc\n"
	if !kernelAtLeast(t, 6, 7) {
		wantText(t, "an older kernel", workload(t, task, "fails "+mount+" | grep -o denied"), "denied")
		t.Skip("Linux has it in user namespaces from 6.7 on; the refusal was tested")
	}
	before := handlers(t)
	wantText(t, "a program of a strange format", workload(t, task, mount+`printf '#!/bin/sh\necho "run by the handler: $(tail -n +2 "$1")"\n' >/tmp/handler; chmod 755 /tmp/handler
echo ':eci:M::ECIBIN\x0a::/tmp/handler:' >/proc/sys/fs/binfmt_misc/register
printf 'ECIBIN\nhello\n' >/tmp/program; chmod 755 /tmp/program
/tmp/program; ls /proc/sys/fs/binfmt_misc | grep eci`), "run by the handler: hello\neci")
	wantText(t, "its neighbour's handlers", workload(t, beside, mount+"ls /proc/sys/fs/binfmt_misc | grep -c eci || true"), "0")
	if after := handlers(t); after != before {
		t.Errorf("the host has the handlers %q, had %q", after, before)
	}
}

// handlers are those of the host for binaries, where it has the file system mounted.
func handlers(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("/proc/sys/fs/binfmt_misc/*")
	succeed(t, err)
	return strings.Join(found, " ")
}

// TestWorkloads_NFS: the kernel's client belongs to the host. A server and a client of user space
// run inside; who needs a mount has the host mount it, and makes it a volume.
func TestWorkloads_NFS(t *testing.T) {
	task := workloads(t, testbed.Container{CapAdd: bothAdmins})
	out := workload(t, task, `ip link set lo up
mkdir -p /tmp/m /var/run/ganesha; echo content >/tmp/file
cat >/tmp/ganesha.conf <<'END'
NFS_CORE_PARAM { Protocols = 4; Enable_RQUOTA = false; Enable_NLM = false; }
NFSV4 { Graceless = true; }
EXPORT { Export_Id = 1; Path = /x; Pseudo = /x; Access_Type = RW; Squash = No_Root_Squash; SecType = sys; Transports = TCP; Protocols = 4; FSAL { Name = MEM; } }
END
ganesha.nfsd -f /tmp/ganesha.conf -L /tmp/ganesha.log -p /tmp/ganesha.pid
await nfs-ls 'nfs://127.0.0.1/x?version=4' || { tail -n 20 /tmp/ganesha.log; exit 1; }
nfs-cp /tmp/file 'nfs://127.0.0.1/x/file?version=4' >/dev/null
nfs-ls 'nfs://127.0.0.1/x?version=4' | awk '{ print $5, $6 }'
fails mount -t nfs -o vers=4 127.0.0.1:/x /tmp/m`)
	if !regexp.MustCompile(`^8 file\nmount.nfs: .*(not permitted|denied|No such device|unknown filesystem).*\n`).MatchString(out) {
		t.Errorf("got %s", out)
	}
}
