package seccomp

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

func init() { children["fuse"] = childFUSE }

// childFUSE mounts a FUSE at f, in which there is one directory, and does a script. args[0]
// tells whether it answers for that directory.
func childFUSE(args []string) error {
	dev, err := unix.Open("fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := os.Mkdir("f", 0o755); err != nil {
		return err
	}
	data := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", dev)
	if err := unix.Mount("fuse", "f", "fuse", 0, data); err != nil {
		return err
	}
	go serveFUSE(dev, args[0] == "answers")
	return childScript(args[1:])
}

// serveFUSE is the least server: fuse(4), struct fuse_in_header and fuse_out_header.
func serveFUSE(dev int, answers bool) {
	const lookup, getattr, init, hung = 1, 3, 26, -1
	attr := func(b []byte, ino uint64) { // struct fuse_attr, of a directory
		binary.NativeEndian.PutUint64(b, ino)
		binary.NativeEndian.PutUint32(b[60:], unix.S_IFDIR|0o755)
		binary.NativeEndian.PutUint32(b[64:], 2)
	}
	buf := make([]byte, 1<<17)
	for {
		n, err := unix.Read(dev, buf)
		if err != nil || n < 40 {
			return
		}
		var out []byte
		errno := -int32(unix.ENOSYS)
		op := int(binary.NativeEndian.Uint32(buf[4:]))
		if op == lookup && !answers {
			op = hung
		}
		switch op {
		case init:
			out = make([]byte, 64)
			binary.NativeEndian.PutUint32(out, 7)
			binary.NativeEndian.PutUint32(out[4:], 31)
			binary.NativeEndian.PutUint32(out[20:], 4096)
		case getattr:
			out = make([]byte, 104)
			attr(out[16:], binary.NativeEndian.Uint64(buf[16:]))
		case lookup:
			if string(buf[40:n-1]) == "d" {
				out = make([]byte, 128)
				binary.NativeEndian.PutUint64(out, 2)
				attr(out[40:], 2)
			} else {
				errno = -int32(unix.ENOENT)
			}
		case 2, 36, hung: // FORGET, INTERRUPT
			continue
		}
		if out != nil {
			errno = 0
		}
		head := make([]byte, 16)
		binary.NativeEndian.PutUint32(head, uint32(len(out)+16))
		binary.NativeEndian.PutUint32(head[4:], uint32(errno))
		copy(head[8:], buf[8:16])
		if _, err := unix.Write(dev, append(head, out...)); err != nil {
			return
		}
	}
}

// fuseBox is a box whose directory has a node fuse that everybody may open.
func fuseBox(t testing.TB) *box {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		linuxtest.Missing(t, err.Error())
	}
	b := newBox(t)
	must(t, unix.Mknod(b.dir+"/fuse", unix.S_IFCHR|0o666, int(unix.Mkdev(10, 229))))
	must(t, os.Chmod(b.dir+"/fuse", 0o666))
	return b
}

// TestFUSE: a path leads through a file system that lets only the container through.
func TestFUSE(t *testing.T) {
	linuxtest.NoLeak(t)
	b := fuseBox(t)
	got := b.start("fuse", "answers", "agent", "mkdir q", "link ../f/d q/l",
		"mount proc f/d proc", "shows f/d/uptime", "umount f/d/uptime", "umount f/d",
		"mount proc q/l proc", "shows f/d/uptime", "mount f/d q - bind", "shows q/uptime", "umount q",
		"umount f/d", "mount proc f/x proc", "umount f").all(t)
	want := strings.Join([]string{
		"mount proc f/d proc = done", "shows f/d/uptime = pseudo", "umount f/d/uptime = EINVAL", "umount f/d = done",
		"mount proc q/l proc = done", "shows f/d/uptime = pseudo", "mount f/d q - bind = done", "shows q/uptime = pseudo", "umount q = done",
		"umount f/d = done", "mount proc f/x proc = ENOENT", "umount f = done",
	}, "\n")
	if got != want {
		t.Errorf("got\n%s\n\nwant\n%s", got, want)
	}
}

// TestFUSEHangs: a server that does not answer holds up who uses it, not other containers and
// not the end of the agent; when its container is gone, nothing of it is left.
func TestFUSEHangs(t *testing.T) {
	linuxtest.NoLeak(t)
	hanging, other := fuseBox(t), newBox(t)
	p := hanging.start("fuse", "hangs", "agent", "mount proc f/d proc")
	time.Sleep(300 * time.Millisecond)
	if len(hanging.agent.c.slots) != 1 {
		t.Error("does not hang")
	}
	if got := other.script(true, "mkdir p", "mount proc p proc", "umount p"); strings.Count(got, "done") != 2 {
		t.Error(got)
	}
	must(t, hanging.agent.Close())
	p.end()
	waitIdle(t, hanging)
}
