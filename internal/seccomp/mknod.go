package seccomp

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// mknod is mknod(2): path, mode, dev.
func mknod(r *request) answer {
	return makeNode(r, unix.AT_FDCWD, r.args[0], r.args[1], r.args[2])
}

// mknodat is mknodat(2): directory, path, mode, dev.
func mknodat(r *request) answer {
	return makeNode(r, int32(r.args[0]), r.args[1], r.args[2], r.args[3])
}

// makeNode makes the node of a device that is in the list, for root of the container: the
// kernel lets only the host's root do it. It is made with the caller's own rights, in a
// directory of one of the container's own file systems.
//
// The list is of harmless devices. But what is on a volume is on the host, too: there, a
// node with the caller's mode and owner would give a device to users of the host who may
// not open it. So it must be a file system that nobody else sees ([Config.FileSystems]).
// Those that the container mounts itself are not among them: the kernel opens no node there
// (SB_I_NODEV), and programs that are told EPERM bind the device instead, which works
// (systemd's PrivateDevices=, LXC, …).
//
// Where anything is not as it must be, the kernel answers, with the error that it has for
// it, and makes no node: for it, the caller lacks CAP_MKNOD. So nothing depends on that what
// it looks at is what was looked at here.
func makeNode(r *request, dirfd int32, path, mode, dev uint64) answer {
	n, ok := r.node(path, mode, dev)
	if !ok {
		return proceed()
	}
	c, ok := r.maker()
	if !ok {
		return proceed()
	}
	p, err := placeOf(r.t, dirfd, n.path)
	if err != nil {
		return proceed()
	}
	defer p.close()
	// All of it was the caller's, and not that of a process that has got its number since.
	if !r.t.alive() {
		return proceed()
	}
	made, err := p.make(n, c, r.c)
	switch {
	case err != nil:
		return refuse(errnoOf(err))
	case made == nil:
		return proceed()
	}
	a := value(0).undo(made.remove)
	a.release = made.close
	return a
}

// node is what a caller wants to have made.
type node struct {
	path string
	mode uint32 // type and permission bits
	dev  uint64 // as [unix.Mkdev] makes it
}

// node reads the arguments of a call, as narrow as the kernel does: mode is 16 bits wide, and
// dev 32. ok is false where the device is not in the list. A whiteout (overlayfs: number 0:0)
// is none: the kernel makes it for everybody.
func (r *request) node(path, mode, dev uint64) (n node, ok bool) {
	n = node{mode: uint32(uint16(mode)), dev: uint64(uint32(dev))}
	if !r.c.allows(n.mode, n.dev) {
		return node{}, false
	}
	var err error
	n.path, err = r.t.readString(path)
	return n, err == nil
}

// deviceTypes are the types of [Device] by those of inode(7).
var deviceTypes = map[uint32]byte{unix.S_IFCHR: 'c', unix.S_IFBLK: 'b'}

// allows tells whether a node is one of [Config.Devices].
func (c *container) allows(mode uint32, dev uint64) bool {
	kind, ok := deviceTypes[mode&unix.S_IFMT]
	if !ok || dev == 0 {
		return false
	}
	for _, d := range c.Devices {
		if d.Type == kind && unix.Mkdev(d.Major, d.Minor) == dev {
			return true
		}
	}
	return false
}

// place is where a path leads to, up to its last name.
type place struct {
	root, from *os.File // the caller's root directory, and where relative paths begin
	dirs, name string   // the path, cut before the last name
}

// placeOf opens where the caller's path begins.
func placeOf(t *target, dirfd int32, path string) (*place, error) {
	p := &place{dirs: "."}
	cut := strings.LastIndexByte(path, '/') + 1
	if p.name = path[cut:]; cut > 0 {
		p.dirs = path[:cut]
	}
	switch p.name {
	case "", ".", "..": // ENOENT or EEXIST
		return nil, unix.ENOENT
	}
	var err error
	if p.root, err = t.root(); err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(path, "/"):
		p.from, err = linux.OpenAt(p.root, ".", unix.O_PATH|unix.O_DIRECTORY, 0)
	case dirfd == unix.AT_FDCWD:
		p.from, err = t.cwd()
	default:
		p.from, err = t.fd(dirfd)
	}
	if err != nil {
		p.root.Close()
		return nil, err
	}
	return p, nil
}

func (p *place) close() {
	p.root.Close()
	p.from.Close()
}
