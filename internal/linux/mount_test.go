package linux

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

func TestCloneAndAttach(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	src, dst := linuxtest.Tmpfs(t), linuxtest.Dir(t)
	must(t, os.WriteFile(src+"/file", nil, 0o600))
	tree, err := OpenTree(nil, src, true)
	must(t, err)
	defer tree.Close()
	must(t, SetAttr(tree, Attr{Set: unix.MOUNT_ATTR_RDONLY, Propagation: unix.MS_PRIVATE, Recursive: true}))
	at, err := OpenPath(dst)
	must(t, err)
	defer at.Close()
	must(t, MoveMount(tree, at))
	if err := os.WriteFile(dst+"/file", nil, 0o600); !errors.Is(err, unix.EROFS) {
		t.Error(err)
	}
	must(t, os.WriteFile(src+"/file", nil, 0o600))
	must(t, Detach(dst))
	if err := Detach(dst); !errors.Is(err, unix.EINVAL) {
		t.Errorf("nothing is mounted: %v", err)
	}
}

// TestFSMessage: the kernel's own words are in the error, in one line.
func TestFSMessage(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	fs, err := NewFS("tmpfs")
	must(t, err)
	defer fs.Close()
	err = fs.Set("nonsense", "1")
	if !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), "nonsense") || strings.Contains(err.Error(), "\n") {
		t.Error(err)
	}
	if _, err := NewFS("nonsense"); !errors.Is(err, unix.ENODEV) {
		t.Error(err)
	}
}
