package seccomp

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// umount is umount(2) of 32-bit programs, which has no flags.
func umount(r *request) answer {
	r.args[1] = 0
	return umount2(r)
}

// umount2 is umount2(2): target, flags. Pseudo-files stay. A proc or sysfs on which nothing
// but these is mounted goes with them, where the kernel would say EBUSY.
func umount2(r *request) answer {
	const known = unix.MNT_FORCE | unix.MNT_DETACH | unix.MNT_EXPIRE | unix.UMOUNT_NOFOLLOW
	flags := uint64(uint32(r.args[1]))
	path, err := r.t.readString(r.args[0])
	if err != nil {
		return unreadable(r.args[0], err)
	}
	if flags&^known != 0 {
		return proceed()
	}
	nofollow := 0
	if flags&unix.UMOUNT_NOFOLLOW != 0 {
		nofollow = unix.O_NOFOLLOW
	}
	m, err := r.t.look(unix.AT_FDCWD, path, nofollow)
	if err != nil || !m.Root {
		return proceed()
	}
	if r.inPlace(m) {
		return refuse(unix.EINVAL)
	}
	// What is mounted on it goes with it, or makes it busy.
	if flags&(unix.MNT_DETACH|unix.MNT_EXPIRE) != 0 || kernelFS[m.Magic].fstype == "" {
		return proceed()
	}
	at, err := r.t.find(unix.AT_FDCWD, path, nofollow)
	if err != nil {
		return proceed()
	}
	defer at.Close()
	if found, err := linux.MountOf(at); err != nil || found.ID != m.ID {
		return proceed() // somebody mounts meanwhile
	}
	return r.unmountWhole(at, m.Mounted)
}

// unmountWhole takes away a proc or sysfs that carries nothing but what came with it.
func (r *request) unmountWhole(at *os.File, m linux.Mounted) answer {
	mounts, err := r.t.mounts()
	if err != nil || !coveredOnly(mounts, m, r.c.Files.Dev()) {
		return proceed()
	}
	if ok, err := r.t.mayAdminister("mnt"); err != nil || !ok {
		return proceed()
	}
	where, err := r.t.where()
	if err != nil {
		return refuse(errnoOf(err))
	}
	var again *os.File // a copy, for whoever is interrupted and has to try again
	err = within(where.ns, func() error {
		if !r.c.OnlyKilled {
			if again, err = linux.OpenTree(at, "", true); err != nil {
				return err
			}
		}
		if !r.t.alive() {
			return unix.EINTR
		}
		return detach(at)
	})
	end := func() {
		if again != nil {
			go again.Close() // it takes its time, and nobody waits for it
		}
		where.close()
	}
	if err != nil {
		end()
		return refuse(errnoOf(err))
	}
	a := value(0).undo(func() error {
		if again == nil {
			return nil
		}
		return where.mount(again, mounts[m.ID].point)
	})
	a.release = end
	a.still = func(again *request) bool {
		path, err := again.t.readString(again.args[0])
		if err != nil {
			return false
		}
		s, err := again.t.look(unix.AT_FDCWD, path, 0)
		return err == nil && !s.Root
	}
	return a
}

// coveredOnly tells whether something is mounted on a mount, and nothing but what came with
// it: pseudo-files, whose device is pseudo, and parts of itself that are read-only.
func coveredOnly(mounts map[uint64]mounted, m linux.Mounted, pseudo uint64) bool {
	on := mountedOn(mounts, m.ID)
	return len(on) > 0 && !slices.ContainsFunc(on, func(at mounted) bool { return at.dev != pseudo && at.dev != m.Dev })
}
