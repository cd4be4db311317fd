package idmap

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

func TestDev(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	m, at := layers(t, linuxtest.Dir(t), 2), target(t)
	nodes := []Node{
		{Path: "null", Mode: unix.S_IFCHR | 0o666, Major: 1, Minor: 3},
		{Path: "net/tun", Mode: unix.S_IFCHR | 0o620, Major: 10, Minor: 200, UID: 1000, GID: 5},
		{Path: "net/other", Mode: unix.S_IFCHR | 0o600, Major: 10, Minor: 201},
		{Path: "a/b/c/disk", Mode: unix.S_IFBLK | 0o640, Major: 7, Minor: 1, GID: 6},
		{Path: "set", Mode: unix.S_IFCHR | 0o7777, Major: 1, Minor: 5, UID: 65535, GID: 65535},
		{Path: "pipe", Mode: unix.S_IFIFO | 0o622},
		{Path: "large", Mode: unix.S_IFCHR | 0o600, Major: 4095, Minor: 1<<20 - 1},
	}
	staged(t, testRange, func(s *Stage) error {
		root, _, err := s.Rootfs(Rootfs{Mounts: []Mount{m}, Target: at})
		if err != nil {
			return err
		}
		defer root.Close()
		dev, err := s.Dev(nodes, unix.MOUNT_ATTR_NOEXEC)
		if err != nil {
			return err
		}
		defer dev.Close()
		return attachAt(s, root, dev, "/dev", true)
	})
	for _, n := range nodes {
		st, err := linux.StatAt(nil, filepath.Join(at, "dev", n.Path))
		if err != nil || st.Mode != n.Mode || st.UID != n.UID+testRange.Base || st.GID != n.GID+testRange.Base ||
			st.Rdev != unix.Mkdev(n.Major, n.Minor) {
			t.Errorf("%+v: %+v, %v", n, st, err)
		}
	}
	info := mountsAt(t, at+"/dev")[0]
	for _, want := range []string{"nosuid", "noexec", "mode=755", "size=65536k", "uid=700000", "gid=700000"} {
		if !slices.Contains(strings.Split(info.Options+","+info.VFSOptions, ","), want) {
			t.Errorf("%s is not in %s,%s", want, info.Options, info.VFSOptions)
		}
	}
	out, err := linuxtest.InUserNS(t, testRange.Base, testRange.Size, "devices", at+"/dev")
	want := `a 0:0 drwxr-xr-x
core -> /proc/kcore
fd -> /proc/self/fd
large 0:0 Dcrw-------
mqueue 0:0 drwxr-xr-x
net 0:0 drwxr-xr-x
null 0:0 Dcrw-rw-rw-
pipe 0:0 prw--w--w-
ptmx -> pts/ptmx
pts 0:0 drwxr-xr-x
set 65535:65535 Dugctrwxrwxrwx
shm 0:0 drwxr-xr-x
stderr -> /proc/self/fd/2
stdin -> /proc/self/fd/0
stdout -> /proc/self/fd/1`
	if err != nil || out != want {
		t.Errorf("%v: inside:\n%s\nwant:\n%s", err, out, want)
	}
}

// childDevices lists the directory args[0] and uses null in it.
func childDevices(args []string) error {
	entries, err := os.ReadDir(args[0])
	if err != nil {
		return err
	}
	for _, e := range entries {
		p := filepath.Join(args[0], e.Name())
		st, err := os.Lstat(p)
		if err != nil {
			return err
		}
		if st.Mode()&os.ModeSymlink != 0 {
			to, err := os.Readlink(p)
			if err != nil {
				return err
			}
			fmt.Println(e.Name(), "->", to)
			continue
		}
		o, err := owner(p)
		if err != nil {
			return err
		}
		fmt.Println(e.Name(), o, st.Mode())
	}
	f, err := os.OpenFile(args[0]+"/null", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString("nothing")
	return err
}

func TestDevErrors(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	for _, tc := range []struct {
		nodes []Node
		want  error
	}{
		{[]Node{{Path: "null", Mode: 0o20666, UID: 65536}}, ErrNotMapped},
		{[]Node{{Path: "null", Mode: 0o20666, GID: 1 << 31}}, ErrNotMapped},
		{[]Node{{Path: "", Mode: 0o20666}}, ErrMountPoint},
		{[]Node{{Path: ".", Mode: 0o20666}}, ErrMountPoint},
		{[]Node{{Path: "/null", Mode: 0o20666}}, ErrMountPoint},
		{[]Node{{Path: "../null", Mode: 0o20666}}, ErrMountPoint},
		{[]Node{{Path: "a/../../null", Mode: 0o20666}}, ErrMountPoint},
		{[]Node{{Path: "fd/x", Mode: 0o20666}}, ErrMountPoint},
		{[]Node{{Path: "fd", Mode: 0o20666}}, ErrMountPoint},
		{[]Node{{Path: "a", Mode: 0o20666}, {Path: "a", Mode: 0o20666}}, nil},
		{[]Node{{Path: "ptmx", Mode: 0o20666, Major: 5, Minor: 2}}, nil},
		{[]Node{{Path: "a", Mode: 0o20666}, {Path: "a/b", Mode: 0o20666}}, ErrMountPoint},
		{[]Node{{Path: "a/b", Mode: 0o20666}, {Path: "a", Mode: 0o20666}}, ErrMountPoint},
		{[]Node{{Path: "a", Mode: 0o20666}, {Path: "a", Mode: 0o20666, Minor: 1}}, ErrMountPoint},
		{[]Node{{Path: "shm", Mode: 0o20666}}, ErrMountPoint},
		{[]Node{{Path: "a", Mode: unix.S_IFREG | 0o666}}, ErrMountPoint},
		{[]Node{{Path: "a", Mode: 0o666}}, ErrMountPoint},
	} {
		staged(t, testRange, func(s *Stage) error {
			dev, err := s.Dev(tc.nodes, 0)
			if err == nil {
				dev.Close()
			}
			if !errors.Is(err, tc.want) {
				t.Errorf("%+v: %v, want %v", tc.nodes, err, tc.want)
			}
			return nil
		})
	}
}

func TestTmpfs(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	for _, tc := range []struct {
		opts []string
		want string // owner, mode
		has  []string
		err  error
	}{
		{nil, "700000:700000 1777", nil, nil},
		{[]string{"mode=750", "size=64k", "nr_inodes=50"}, "700000:700000 750", []string{"size=64k", "nr_inodes=50"}, nil},
		{[]string{"uid=1000", "gid=65535", "nosuid", "noexec", "nodev", "rw"}, "701000:765535 1777", []string{"nosuid", "noexec", "nodev", "rw"}, nil},
		{[]string{"ro", "noatime", "tmpcopyup", "rprivate"}, "700000:700000 1777", []string{"ro", "noatime"}, nil},
		{[]string{"size=50%"}, "700000:700000 1777", nil, nil},
		{[]string{"uid=65536"}, "", nil, ErrNotMapped},
		{[]string{"gid=-1"}, "", nil, ErrMountOption},
		{[]string{"size=x"}, "", nil, unix.EINVAL},
		{[]string{"nonsense"}, "", nil, unix.EINVAL},
		{[]string{"loop"}, "", nil, ErrMountOption},
	} {
		t.Run(strings.Join(tc.opts, ","), func(t *testing.T) {
			at := target(t)
			staged(t, testRange, func(s *Stage) error {
				tree, err := s.Tmpfs(tc.opts)
				if !errors.Is(err, tc.err) {
					t.Errorf("%v, want %v", err, tc.err)
				}
				if err != nil {
					return nil
				}
				defer tree.Close()
				return linux.MoveMountTo(tree, nil, at)
			})
			if tc.err != nil {
				return
			}
			st, err := linux.StatAt(nil, at)
			must(t, err)
			if got := fmt.Sprintf("%d:%d %o", st.UID, st.GID, st.Mode&0o7777); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
			info := mountsAt(t, at)[0]
			for _, want := range tc.has {
				if !slices.Contains(strings.Split(info.Options+","+info.VFSOptions, ","), want) {
					t.Errorf("%s is not in %s,%s", want, info.Options, info.VFSOptions)
				}
			}
		})
	}
}
