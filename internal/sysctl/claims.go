package sysctl

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// Nodes are the settings that can be raised, as sysctl(8) names them, and where they are
// below /proc/sys.
var Nodes = map[string]string{
	"fs.file-max":                    "fs/file-max",
	"fs.nr_open":                     "fs/nr_open",
	"net.netfilter.nf_conntrack_max": "net/netfilter/nf_conntrack_max",
}

var (
	// ErrUnknownNode is a setting that is not one of [Nodes].
	ErrUnknownNode = errors.New("not a setting that can be raised")
	// ErrUnsafeDir: others could change the directory of claims.
	ErrUnsafeDir = errors.New("directory of raised settings is not safe")
)

// Claims is who asks for what. The zero value raises nothing.
type Claims struct {
	// Dir is the directory; it is made (mode 0700) when it is needed, its parent is not. It
	// should lie on a tmpfs: settings end with the boot, and so do claims.
	Dir string
	// Ceilings are the highest values, by node; without one, a node is not raised.
	Ceilings map[string]int64
	// Proc is where the settings are; "" is /proc/sys.
	Proc string
	// Exists tells whether an owner exists. Only a claim whose owner does not is swept, so an
	// error must be returned when it cannot be told. Nil: lstat(2) of the owner's path, in the
	// mount namespace of the caller.
	Exists func(owner string) (bool, error)
}

// Raise makes the host's value of node at least value, or the ceiling if that is lower, as
// long as bundle has not been released; bundle is the path of the container's bundle. What
// it asked for before is forgotten, so that a lower value lowers the host's, too, if nobody
// else needs it.
func (c Claims) Raise(node string, value int64, bundle string) error {
	if _, ok := Nodes[node]; !ok {
		return fmt.Errorf("%w: %q", ErrUnknownNode, node)
	}
	if !filepath.IsAbs(bundle) || filepath.Clean(bundle) != bundle {
		return fmt.Errorf("owner of a claim %q is not a clean absolute path", bundle)
	}
	ceiling, ok := c.Ceilings[node]
	if !ok {
		return nil
	}
	if _, err := c.read(node); err != nil {
		return err
	}
	if err := os.Mkdir(c.Dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return c.locked(func(d claimDir) error {
		claims, err := c.sweep(d)
		if err != nil {
			return err
		}
		wanted := claim{node: node, value: min(value, ceiling), owner: bundle}
		if !slices.ContainsFunc(claims, wanted.same) {
			// The new one first: the value is not lowered in between.
			if wanted.name, err = d.add(wanted, claims); err != nil {
				return err
			}
		}
		for _, old := range claims {
			if old.node == node && old.owner == bundle && old.value != wanted.value {
				if err := linux.Unlink(d.File, old.name); err != nil {
					return err
				}
			}
		}
		return c.applyAll(d)
	})
}

// ReleaseOwner ends every claim of a bundle. No claim is no error.
func (c Claims) ReleaseOwner(bundle string) error {
	if _, err := os.Lstat(c.Dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return c.locked(func(d claimDir) error {
		claims, err := c.sweep(d)
		if err != nil {
			return err
		}
		for _, l := range claims {
			if l.owner == bundle {
				if err := linux.Unlink(d.File, l.name); err != nil {
					return err
				}
			}
		}
		return c.applyAll(d)
	})
}

// Sweep ends the claims of owners that do not exist any more.
func (c Claims) Sweep() error {
	return c.ReleaseOwner("")
}

// locked calls fn while it holds the lock of the directory.
func (c Claims) locked(fn func(claimDir) error) error {
	dir, err := linux.OpenAt(nil, c.Dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer dir.Close() // and with it the lock
	st, err := linux.StatFile(dir)
	if err != nil {
		return err
	}
	if st.UID != uint32(os.Geteuid()) || st.Mode&0o022 != 0 {
		return fmt.Errorf("%w: %s has owner %d, mode %04o", ErrUnsafeDir, c.Dir, st.UID, st.Mode&0o7777)
	}
	if err := linux.Lock(dir); err != nil {
		return err
	}
	return fn(claimDir{dir})
}

// sweep removes the claims of owners that do not exist, and gives the others.
func (c Claims) sweep(d claimDir) ([]claim, error) {
	claims, err := d.claims()
	if err != nil {
		return nil, err
	}
	exists := c.Exists
	if exists == nil {
		exists = pathExists
	}
	var left []claim
	for _, l := range claims {
		there, err := exists(l.owner)
		if err != nil {
			return nil, fmt.Errorf("look for the owner of %s: %w", l.name, err)
		}
		if there {
			left = append(left, l)
		} else if err := linux.Unlink(d.File, l.name); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// applyAll brings every setting to what is asked for now. It goes on after an error.
func (c Claims) applyAll(d claimDir) error {
	claims, err := d.claims()
	if err != nil {
		return err
	}
	var errs []error
	for _, node := range slices.Sorted(maps.Keys(Nodes)) {
		if err := c.apply(d, node, claims); err != nil {
			errs = append(errs, fmt.Errorf("set %s: %w", node, err))
		}
	}
	return errors.Join(errs...)
}

func pathExists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
