package seccomp

import (
	"errors"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// Capabilities of the caller that count when a node is made. They count for files whose owner
// and group are mapped in its user namespace, capabilities(7), "Interaction with user
// namespaces". The thread that acts for it belongs to the shim's, where they would count for
// all files: so it has them only while it does one thing to one such directory.
const (
	searchCaps = 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH
	createCaps = searchCaps | 1<<unix.CAP_FSETID
)

// made is a node that was made, for the case that its maker does not hear of it.
type made struct {
	maker *maker
	dir   *os.File
	name  string
	stat  linux.Stat
}

// make makes a node as the caller would, if it could. Nil without an error: it is not for us
// to make, or the kernel will find the same that was found here.
func (p *place) make(n node, m *maker, c *container) (done *made, err error) {
	err = linux.OnThread(func() error {
		if err := linux.ChangeRoot(p.root); err != nil {
			return err
		}
		if err := m.become(); err != nil {
			return err
		}
		dir, err := p.walk(m)
		if err != nil {
			return nil //nolint:nilerr // ENOENT, ENOTDIR, EACCES, ELOOP, …: the kernel says it
		}
		done, err = m.mknod(dir, p.name, n, c)
		if done == nil {
			dir.Close()
		}
		return err
	})
	return done, err
}

// mknod makes the node in an opened directory. It may not be the last symbolic link of the
// path, which mknodat(2) does not follow.
func (m *maker) mknod(dir *os.File, name string, n node, c *container) (*made, error) {
	st, err := linux.StatFile(dir)
	if err != nil || !slices.Contains(c.FileSystems, st.Dev) {
		return nil, err
	}
	caps := uint64(1 << unix.CAP_MKNOD)
	if m.owns(st) {
		caps |= m.caps & createCaps
	}
	if err := linux.SetEffectiveCaps(caps); err != nil {
		return nil, err
	}
	if err := linux.Mknod(dir, name, n.mode, n.dev); err != nil {
		return nil, err
	}
	done := &made{maker: m, dir: dir, name: name}
	done.stat, _ = linux.StatAt(dir, name) // without, it is not found again
	return done, nil
}

func (d *made) close() { d.dir.Close() }

// remove takes the node away again, unless something else has its name meanwhile. It has the
// rights of whoever made it, so that it can do no harm where that changes while it looks.
func (d *made) remove() error {
	return linux.OnThread(func() error {
		if err := d.maker.become(); err != nil {
			return err
		}
		if st, err := linux.StatFile(d.dir); err == nil && d.maker.owns(st) {
			if err := linux.SetEffectiveCaps(d.maker.caps & createCaps); err != nil {
				return err
			}
		}
		st, err := linux.StatAt(d.dir, d.name)
		if err != nil || st.Ino != d.stat.Ino || st.Rdev != d.stat.Rdev {
			return err
		}
		return linux.Unlink(d.dir, d.name)
	})
}

// walk opens the directory in which the node is to be made, on a thread that has become the
// caller. The kernel walks, without magic links (proc(5)): these would be looked at with the
// rights of the shim.
func (p *place) walk(m *maker) (*os.File, error) {
	dir, err := linux.OpenHow(p.from, p.dirs, unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_NO_MAGICLINKS)
	if errors.Is(err, unix.EACCES) && m.caps&searchCaps != 0 {
		return p.walkStepwise(m)
	}
	return dir, err
}

// walkStepwise is for callers that get through a directory by a capability: root that makes
// nodes below somebody's home. Of each directory it looks whose it is, before it goes on from
// there. A symbolic link, which the kernel would follow with that capability through others,
// ends it.
func (p *place) walkStepwise(m *maker) (*os.File, error) {
	dir, err := linux.OpenAt(p.from, ".", unix.O_PATH|unix.O_DIRECTORY, 0)
	if errors.Is(err, unix.EACCES) {
		dir, err = m.step(p.from, ".")
	}
	if err != nil {
		return nil, err
	}
	for name := range strings.SplitSeq(p.dirs, "/") {
		if name == "" || name == "." {
			continue
		}
		next, err := m.step(dir, name)
		dir.Close()
		if err != nil {
			return nil, err
		}
		dir = next
	}
	return dir, nil
}

// step opens the directory name in dir, with the capabilities of the caller if they count
// there.
func (m *maker) step(dir *os.File, name string) (*os.File, error) {
	st, err := linux.StatFile(dir)
	if err != nil {
		return nil, err
	}
	if m.owns(st) {
		if err := linux.SetEffectiveCaps(m.caps & searchCaps); err != nil {
			return nil, err
		}
	}
	next, err := linux.OpenAt(dir, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err := linux.SetEffectiveCaps(0); err != nil {
		if next != nil {
			next.Close()
		}
		return nil, err
	}
	return next, err
}
