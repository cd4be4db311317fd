package idmap

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

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

// link is a claim: the range, and the link's name.
type link struct {
	Range
	name string
}

// links reads the claims, lowest range first; once for an opened directory. Names
// that are no ranges claim nothing.
func (d poolDir) links() ([]link, error) {
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	out := make([]link, 0, len(names))
	for _, name := range names {
		if r, ok := parseName(name); ok {
			out = append(out, link{r, name})
		}
	}
	slices.SortFunc(out, func(a, b link) int {
		return cmp.Or(cmp.Compare(a.Base, b.Base), cmp.Compare(len(a.name), len(b.name)), cmp.Compare(a.name, b.name))
	})
	return out, nil
}

// linksOf are the claims of one range.
func (d poolDir) linksOf(r Range) ([]link, error) {
	links, err := d.links()
	return slices.DeleteFunc(links, func(l link) bool { return l.Range != r }), err
}

// parseName reads the name of a link: a range and, for all but one of those who
// share it, a number from 2 on.
func parseName(name string) (Range, bool) {
	name, number, shared := strings.Cut(name, ".")
	r, err := ParseRange(name)
	if shared && err == nil {
		n, ok := parseID(number)
		return r, ok && n >= 2
	}
	return r, err == nil
}

// freeName is the first name for a claim of r that no link has.
func freeName(r Range, links []link) string {
	name := r.String()
	for n := 2; slices.ContainsFunc(links, func(l link) bool { return l.name == name }); n++ {
		name = r.String() + "." + strconv.Itoa(n)
	}
	return name
}

// ranges are the ranges that are claimed, each once.
func ranges(links []link) []Range {
	out := make([]Range, len(links))
	for i, l := range links {
		out[i] = l.Range
	}
	return slices.Compact(out)
}

// claims are the claims, lowest first. One that goes meanwhile is left out; what
// is no link has no owner.
func (d poolDir) claims() ([]Claim, error) {
	links, err := d.links()
	if err != nil {
		return nil, err
	}
	out := make([]Claim, 0, len(links))
	for _, l := range links {
		owner, err := d.owner(l)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil && !errors.Is(err, unix.EINVAL) {
			return nil, err
		}
		out = append(out, Claim{l.Range, owner})
	}
	return out, nil
}

func (d poolDir) owner(l link) (string, error) { return linux.ReadLink(d.File, l.name) }

// has tells whether one of the claims is owner's.
func (d poolDir) has(links []link, owner string) bool {
	return slices.ContainsFunc(links, func(l link) bool {
		got, err := d.owner(l)
		return err == nil && got == owner
	})
}

func (d poolDir) add(name, owner string) error { return linux.Symlink(owner, d.File, name) }

func (d poolDir) remove(l link) error { return linux.Unlink(d.File, l.name) }

// sweep ends those claims whose owner does not exist, and tells which are left.
func (p Pool) sweep(d poolDir, links []link) (left []link, swept []Claim, err error) {
	exists := p.Exists
	if exists == nil {
		exists = pathExists
	}
	for _, l := range links {
		owner, err := d.owner(l)
		if errors.Is(err, unix.EINVAL) {
			left = append(left, l)
			continue // no link: not ours, so it stays taken
		}
		if err != nil {
			return nil, swept, err
		}
		there, err := exists(owner)
		if err != nil {
			return nil, swept, fmt.Errorf("look for the owner of %v: %w", l.Range, err)
		}
		if there {
			left = append(left, l)
			continue
		}
		if err := d.remove(l); err != nil {
			return nil, swept, err
		}
		swept = append(swept, Claim{l.Range, owner})
	}
	return left, swept, nil
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
