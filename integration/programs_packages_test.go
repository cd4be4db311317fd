package integration

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/testbed"
)

// nodesArchive is a tar archive of devices below opt/dev.
func nodesArchive(t *testing.T, devices map[string]uint64) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, dir := range []string{"./", "./opt/", "./opt/dev/"} {
		succeed(t, w.WriteHeader(&tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o755}))
	}
	for name, number := range devices {
		succeed(t, w.WriteHeader(&tar.Header{
			Name: "./opt/dev/" + name, Typeflag: tar.TypeChar, Mode: 0o666, Gid: 5,
			Devmajor: int64(unix.Major(number)), Devminor: int64(unix.Minor(number)),
		}))
	}
	succeed(t, w.Close())
	return buf.Bytes()
}

// debPackage is a package of Debian with what is in an archive: an ar(1) archive of its
// version, its control file and its files; deb(5).
func debPackage(t *testing.T, data []byte) []byte {
	t.Helper()
	var control bytes.Buffer
	w := tar.NewWriter(&control)
	const text = "Package: eci-nodes\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.com>\nDescription: device nodes\n"
	succeed(t, w.WriteHeader(&tar.Header{Name: "./control", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))}))
	_, err := w.Write([]byte(text))
	succeed(t, err, w.Close())

	var ar bytes.Buffer
	ar.WriteString("!<arch>\n")
	for _, member := range []struct {
		name string
		data []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar", control.Bytes()}, {"data.tar", data}} {
		fmt.Fprintf(&ar, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", member.name, 0, 0, 0, "100644", len(member.data))
		ar.Write(member.data)
		if len(member.data)%2 != 0 {
			ar.WriteByte('\n')
		}
	}
	return ar.Bytes()
}

// harmless are devices that every /dev has.
var harmless = map[string]uint64{"null": unix.Mkdev(1, 3), "zero": unix.Mkdev(1, 5), "urandom": unix.Mkdev(1, 9)}

// packagesVolume has the archives of this file.
func packagesVolume(t *testing.T) specs.Mount {
	t.Helper()
	dir := t.TempDir()
	archive := nodesArchive(t, harmless)
	disk := nodesArchive(t, map[string]uint64{"memory": unix.Mkdev(1, 1)})
	succeed(t,
		os.WriteFile(filepath.Join(dir, "nodes.tar"), archive, 0o644),
		os.WriteFile(filepath.Join(dir, "nodes.deb"), debPackage(t, archive), 0o644),
		os.WriteFile(filepath.Join(dir, "memory.tar"), disk, 0o644),
	)
	return testbed.Bind(dir, "/packages", "ro")
}

// wantNodes asserts that the devices are there and work.
const wantNodes = `stat -c '%n %a %g %t:%T' /opt/dev/*; head -c 4 /opt/dev/zero | wc -c; echo x >/opt/dev/null; rm -r /opt/dev`

// nodesAre is what wantNodes prints.
const nodesAre = "/opt/dev/null 666 5 1:3\n/opt/dev/urandom 666 5 1:9\n/opt/dev/zero 666 5 1:5\n4"

// Archives and packages bring device nodes.
func TestPrograms_PackagesWithNodes(t *testing.T) {
	task := programs(t, testbed.Container{CapAdd: []string{"CAP_MKNOD"}, Mounts: []specs.Mount{packagesVolume(t)}})
	for name, script := range map[string]string{
		"tar":     "tar -C / -xpf /packages/nodes.tar",
		"busybox": "/bin/busybox tar -C / -xf /packages/nodes.tar; chmod 666 /opt/dev/*",
		"dpkg":    "dpkg -i /packages/nodes.deb >/dev/null; dpkg -V eci-nodes",
		"python":  `python3 -c 'import os; os.makedirs("/opt/dev"); os.umask(0); [(os.mknod("/opt/dev/" + n, 0o20666, os.makedev(1, m)), os.chown("/opt/dev/" + n, 0, 5)) for n, m in (("null", 3), ("zero", 5), ("urandom", 9))]'`,
		"rpm": `cd /tmp; cat >nodes.spec <<END
Name: eci-nodes
Version: 1
Release: 1
Summary: device nodes
License: none
%description
Device nodes.
%files
%dev(c,1,3) %attr(0666,root,tty) /opt/dev/null
%dev(c,1,5) %attr(0666,root,tty) /opt/dev/zero
%dev(c,1,9) %attr(0666,root,tty) /opt/dev/urandom
END
mkdir -p /tmp/root/opt/dev; mknod -m 666 /tmp/root/opt/dev/null c 1 3; mknod -m 666 /tmp/root/opt/dev/zero c 1 5; mknod -m 666 /tmp/root/opt/dev/urandom c 1 9
rpmbuild -bb --define '_topdir /tmp/rpm' --buildroot /tmp/root --noclean nodes.spec >/tmp/rpm.log 2>&1 || { cat /tmp/rpm.log; exit 1; }
rpm -i --nodeps --dbpath /tmp/rpmdb /tmp/rpm/RPMS/*/eci-nodes-*.rpm`,
	} {
		t.Run(name, func(t *testing.T) {
			wantText(t, name, shell(t, task, script+"\n"+wantNodes), nodesAre)
		})
	}
	t.Run("memory", func(t *testing.T) {
		if out, code := shellAny(t, task, "tar -C / -xf /packages/memory.tar"); code == 0 || !strings.Contains(out, "Operation not permitted") {
			t.Errorf("a node of the host's memory: status %d, %s", code, out)
		}
	})
}

// A Debian is made inside, from packages that the image has: nodes, a procfs and a sysfs are
// what it needs of the kernel.
func TestPrograms_Mmdebstrap(t *testing.T) {
	task := programs(t, testbed.Container{CapAdd: []string{"CAP_SYS_ADMIN"}})
	out := shell(t, task, `mmdebstrap --mode=root --variant=essential --skip=check/empty \
  --customize-hook='chroot "$1" sh -c "head -n 1 /proc/meminfo; ls -d /sys/kernel; stat -c %t:%T /dev/null" >/tmp/inside' \
  bookworm /tmp/out 'deb [trusted=yes] copy:/repository ./' >/tmp/log 2>&1 || { tail -n 20 /tmp/log; exit 1; }
cat /tmp/inside; ls /tmp/out/bin/dpkg; stat -c %F,%t:%T /tmp/out/dev/null; grep -c /tmp/out /proc/self/mountinfo || true`)
	if !regexp.MustCompile(`^MemTotal: +\d+ kB\n/sys/kernel\n1:3\n/tmp/out/bin/dpkg\ncharacter special file,1:3\n0\n$`).MatchString(out) {
		t.Errorf("got %s", out)
	}
}
