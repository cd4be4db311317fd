package pseudofs

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// Config is what an [FS] is made from.
type Config struct {
	// Dir is an existing directory, in the mount namespace of this process, on which the
	// file system is mounted.
	Dir string
	// UID and GID are the host's IDs of the container's root, who owns all files.
	UID, GID uint32
	// IDs is how many users of the host are the container's, from UID on.
	IDs uint32
	// UUID is what product_uuid shows; "" leaves that node alone.
	UUID string
	// Source has the numbers of the container.
	Source *Source
	// Network are the values of network nodes, which the containers of a pod share. Nil:
	// of this one only.
	Network *Values
	// Raise makes the host's value of a node at least value, as far as the administrator
	// lets it; node is named as sysctl(8) does, "fs.file-max". The container's write fails
	// (EIO) when it does. Nil: a value has no effect on the host.
	Raise func(node string, value int64) error
	// Masked and ReadOnly are linux.maskedPaths and linux.readonlyPaths of the spec, for
	// new instances of proc and sysfs.
	Masked, ReadOnly []string
	// Logf is told what goes wrong in a request, but not more than a few lines in a minute.
	// Nil: nobody is.
	Logf func(format string, args ...any)
}

// FS is the pseudo-files of one container, and who serves them.
type FS struct {
	Config
	own    *Values // of nodes that are the container's, not the pod's
	conn   *conn
	dev    uint64
	files  []file // by index in nodes
	net    netDirs
	listed sync.Once
	closed sync.Once

	skipped atomic.Int64
}

// New mounts the file system of a container on [Config.Dir] and begins to serve it. The
// mount belongs to the calling process's user namespace: nobody in the container can
// unmount it from there, and all who may enter it are served (allow_other).
func New(c Config) (*FS, error) {
	c.Logf = bounded(c.Logf)
	if c.Network == nil {
		c.Network = NewValues()
	}
	f := &FS{Config: c, own: NewValues(), files: make([]file, len(nodes))}
	if err := f.mount(); err != nil {
		return nil, fmt.Errorf("mount the pseudo-files on %s: %w", c.Dir, err)
	}
	go func() { // while the container is being created
		if dir, err := linux.OpenPath(c.Dir); err == nil {
			f.list(dir)
			dir.Close()
		}
	}()
	return f, nil
}

// list reads the names of all files below the root, once: with them the kernel gets what it
// needs to mount them, which costs less than to ask for each ([ops.ReadDirPlus]).
func (f *FS) list(root *os.File) {
	f.listed.Do(func() {
		dir, err := linux.OpenAt(root, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
		if err != nil {
			return
		}
		_, _ = dir.Readdirnames(-1)
		dir.Close()
	})
}

// mount makes the file system, serves it, and attaches it.
func (f *FS) mount() error {
	dev, err := linux.OpenFUSE()
	if err != nil {
		return err
	}
	defer dev.Close()
	tree, err := newFUSE(dev)
	if err != nil {
		return err
	}
	defer tree.Close()
	if err := connect(f, dev); err != nil {
		return err
	}
	dev.Close() // the thread that serves it has it
	if err := errors.Join(prime(tree), f.attach(tree)); err != nil {
		return errors.Join(err, f.conn.Close())
	}
	return nil
}

// prime lets the kernel find out that there is no OPEN, POLL and FLUSH here, so that it
// never asks for them again. Else a file of this system that this process opened itself
// could end it: to add one to an epoll instance asks for POLL while that instance, which
// must tell of the request, is locked; and a process that exits asks for FLUSH, which nobody
// answers any more and no signal interrupts.
func prime(root *os.File) error {
	file, err := linux.OpenAt(root, maskFile, unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	_, err = linux.Ready(file)
	return errors.Join(err, file.Close())
}

// newFUSE makes a detached FUSE file system on a connection.
func newFUSE(dev *os.File) (*os.File, error) {
	ctx, err := linux.NewFS("fuse")
	if err != nil {
		return nil, err
	}
	defer ctx.Close()
	if err := ctx.SetNumber("fd", dev); err != nil {
		return nil, err
	}
	for _, p := range [][2]string{
		{"source", "eci"},
		{"subtype", "eci"},
		{"rootmode", "40000"},
		{"user_id", "0"},
		{"group_id", "0"},
		{"max_read", strconv.Itoa(pageSize)},
		{"allow_other", ""},
		{"default_permissions", ""},
	} {
		if err := ctx.Set(p[0], p[1]); err != nil {
			return nil, err
		}
	}
	return ctx.Mount(unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC)
}

// attach mounts the file system on its directory.
func (f *FS) attach(tree *os.File) error {
	st, err := linux.StatFile(tree)
	if err != nil {
		return err
	}
	f.dev = st.Dev
	dir, err := linux.OpenPath(f.Dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	return linux.MoveMount(tree, dir)
}

// Dev is the device number of the pseudo-files, st_dev: what has it is one of them.
func (f *FS) Dev() (major, minor uint32) { return unix.Major(f.dev), unix.Minor(f.dev) }

// Skipped counts the nodes that [FS.Cover] left alone because something was mounted on
// them already.
func (f *FS) Skipped() int { return int(f.skipped.Load()) }

// Close takes the file system off its directory and ends serving it: what is still
// attached anywhere gives ENOTCONN. A second call does nothing.
func (f *FS) Close() (err error) {
	f.closed.Do(func() {
		f.conn.ended.Store(true)
		err = errors.Join(linux.Detach(f.Dir), f.conn.Close())
	})
	return err
}

// values is where the value of a node is kept.
func (f *FS) values(n *node) *Values {
	if n.network() {
		return f.Network
	}
	return f.own
}

// shows tells whether the container has a node at all.
func (f *FS) shows(n *node) bool {
	if n.native != (release{}) && n.native.running() {
		return false
	}
	return n.kind != fixed || f.UUID != ""
}

// owns tells whether a user of the host is one of the container's.
func (f *FS) owns(uid uint32) bool { return uid-f.UID < f.IDs }

// recovered logs a panic, with the stack of who panicked.
func (f *FS) recovered(what any) { f.Logf("panic in a pseudo-file: %v\n%s", what, debug.Stack()) }

// readHost reads the host's node, for a rendering.
func readHost(n *node) ([]byte, error) { return os.ReadFile("/" + n.path) }
