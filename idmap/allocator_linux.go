package idmap

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// poolDir is the opened directory of a pool.
type poolDir struct{ *os.File }

// open opens the directory and makes it if it is missing. ErrUnsafePool if
// somebody else could write to it.
func (p Pool) open() (poolDir, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW
	dir, err := linux.OpenAt(nil, p.Dir, flags, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeDir(p.Dir); err != nil {
			return poolDir{}, err
		}
		dir, err = linux.OpenAt(nil, p.Dir, flags, 0)
	}
	if err != nil {
		return poolDir{}, err
	}
	st, err := linux.StatFile(dir)
	if err == nil && (st.UID != uint32(os.Geteuid()) || st.Mode&0o022 != 0) {
		err = fmt.Errorf("%w: %s has owner %d, mode %04o", ErrUnsafePool, p.Dir, st.UID, st.Mode&0o7777)
	}
	if err != nil {
		dir.Close()
		return poolDir{}, err
	}
	return poolDir{dir}, nil
}

// makeDir makes the directory with its mode whatever the umask, which may only
// take bits away: 0711 & ^umask is never writable to others.
func makeDir(path string) error {
	if err := os.Mkdir(path, 0o711); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Chmod(path, 0o711)
}

// locked calls fn while it holds the lock of the directory.
func (p Pool) locked(fn func(poolDir) error) error {
	d, err := p.open()
	if err != nil {
		return err
	}
	defer d.Close() // and with it the lock
	if err := linux.Lock(d.File); err != nil {
		return err
	}
	return fn(d)
}

// ranges reads the claimed ranges; once for an opened directory. Names that are no ranges claim nothing.
func (d poolDir) ranges() ([]Range, error) {
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	out := make([]Range, 0, len(names))
	for _, name := range names {
		if r, err := ParseRange(name); err == nil {
			out = append(out, r)
		}
	}
	return out, nil
}

// claims are the claims, lowest first. One that goes meanwhile is left out; what
// is no link has no owner.
func (d poolDir) claims() ([]Claim, error) {
	ranges, err := d.ranges()
	if err != nil {
		return nil, err
	}
	slices.SortFunc(ranges, func(a, b Range) int { return int(int64(a.Base) - int64(b.Base)) })
	out := make([]Claim, 0, len(ranges))
	for _, r := range ranges {
		owner, err := d.owner(r)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil && !errors.Is(err, unix.EINVAL) {
			return nil, err
		}
		out = append(out, Claim{r, owner})
	}
	return out, nil
}

func (d poolDir) owner(r Range) (string, error) { return linux.ReadLink(d.File, r.String()) }

func (d poolDir) add(r Range, owner string) error {
	return linux.Symlink(owner, d.File, r.String())
}

func (d poolDir) remove(r Range) error { return linux.Unlink(d.File, r.String()) }

// sweep ends those claims of ranges whose owner does not exist.
func (p Pool) sweep(d poolDir, ranges []Range) ([]Claim, error) {
	exists := p.Exists
	if exists == nil {
		exists = pathExists
	}
	var swept []Claim
	for _, r := range ranges {
		owner, err := d.owner(r)
		if errors.Is(err, unix.EINVAL) {
			continue // no link: not ours, so it stays taken
		}
		if err != nil {
			return swept, err
		}
		there, err := exists(owner)
		if err != nil {
			return swept, fmt.Errorf("look for the owner of %v: %w", r, err)
		}
		if there {
			continue
		}
		if err := d.remove(r); err != nil {
			return swept, err
		}
		swept = append(swept, Claim{r, owner})
	}
	return swept, nil
}

// ExistsBelow is a [Pool.Exists] that looks for owners below the directory
// root, e.g. the root of the host's mount namespace. root stays the caller's.
func ExistsBelow(root *os.File) func(owner string) (bool, error) {
	return func(owner string) (bool, error) {
		f, err := linux.OpenInRoot(root, owner, unix.O_PATH|unix.O_NOFOLLOW)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		return true, f.Close()
	}
}

func pathExists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// readFile is os.ReadFile at half its cost, which is on the way of every start:
// these files are small and need no poller.
func readFile(path string) ([]byte, error) {
	f, err := linux.OpenAt(nil, path, unix.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buf := make([]byte, 0, 8192)
	for {
		n, err := f.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
		buf = slices.Grow(buf, 1)
	}
}
