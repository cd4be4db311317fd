package linux

import (
	"os"

	"golang.org/x/sys/unix"
)

// Seen tells what a path leads to.
type Seen struct {
	Mounted
	// Magic is the number of the file system as [FSMagic] tells it; 0 if that lies on a block
	// device, and so is none of the kernel's own, and for a single file that something is
	// mounted on: it may be served by this very process, which could not be ended while it asks
	// itself.
	Magic int64
}

// Look tells what path leads to, from the directory that base, a path of the calling process,
// leads to. It is [OpenHow], [MountOf] and [FSMagic] without the files in between, which cost as
// much as the calls themselves.
func Look(base, path string, flags int, resolve uint64) (s Seen, err error) {
	const plain = unix.O_PATH | unix.O_CLOEXEC
	fail := func(op string, err error) (Seen, error) {
		return Seen{}, &os.PathError{Op: op, Path: base + "//" + path, Err: err}
	}
	dir, err := unix.Open(base, plain|unix.O_DIRECTORY, 0)
	if err != nil {
		return fail("open", err)
	}
	how := unix.OpenHow{Flags: uint64(flags | plain), Resolve: resolve}
	fd, err := unix.Openat2(dir, path, &how)
	_ = unix.Close(dir)
	if err != nil {
		return fail("openat2", err)
	}
	defer func() { _ = unix.Close(fd) }()
	var x unix.Statx_t
	if err := unix.Statx(fd, "", mountOfFlags, 0, &x); err != nil {
		return fail("statx", err)
	}
	s.Mounted = mountedOf(&x)
	if unix.Major(s.Dev) != 0 || s.Root && x.Mode&unix.S_IFMT == unix.S_IFREG {
		return s, nil
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return fail("fstatfs", err)
	}
	s.Magic = int64(fs.Type)
	return s, nil
}
