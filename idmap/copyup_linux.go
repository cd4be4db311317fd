package idmap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// maxDepth is how deep directories may be nested that are copied up: each takes a descriptor.
const maxDepth = 250

// maxEntries is how many a directory may have that is copied up: the shim holds their names.
const maxEntries = 1 << 20

// copiesAtOnce is how many files of a directory are copied up at a time. Overlayfs waits for
// the disk after each.
const copiesAtOnce = 8

// copyUp has overlayfs copy a directory of the root file system into the upper layer, with
// all that is in it: what lies there already is not copied. Owners, modes, times and extended
// attributes are its business, and after a crash every file is whole, in one layer or in the
// other. Whiteouts of inner overlays, which it does not show, are made again.
func (s *Stage) copyUp(ctx context.Context, at *os.File, path string) error {
	dir, err := linux.OpenAt(at, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer dir.Close()
	lowers, err := s.upper.openLowers(path)
	defer lowers.close()
	if err != nil {
		return err
	}
	c := copier{ctx: ctx, whiteout: s.makeWhiteout}
	return c.dir(dir, path, lowers, 0)
}

type copier struct {
	ctx context.Context
	// whiteout makes one in the upper layer.
	whiteout func(dir, name string) error
}

// dir copies up a directory of the overlay, open for reading, which is at path, and is
// made of lowers.
func (c *copier) dir(dir *os.File, at string, lowers lowerDirs, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: directories below %s are nested deeper than %d", ErrMountPoint, at, maxDepth)
	}
	if err := linux.Touch(dir, "."); err != nil {
		return err
	}
	whiteouts, err := lowers.whiteouts()
	if err != nil {
		return err
	}
	for _, name := range whiteouts {
		if err := c.whiteout(at, name); err != nil {
			return err
		}
	}
	entries, err := dir.ReadDir(maxEntries)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if len(entries) == maxEntries {
		return fmt.Errorf("%w: %s has %d entries or more", ErrMountPoint, at, maxEntries)
	}
	var files []string
	for _, e := range entries {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if e.Type().IsRegular() {
			files = append(files, e.Name())
			continue
		}
		if err := c.entry(dir, at, e, lowers, depth); err != nil {
			return err
		}
	}
	return c.files(dir, files)
}

// entry copies up what is no regular file.
func (c *copier) entry(dir *os.File, at string, e fs.DirEntry, lowers lowerDirs, depth int) error {
	if !e.IsDir() {
		err := linux.Touch(dir, e.Name())
		if errors.Is(err, fs.ErrNotExist) && e.Type()&fs.ModeCharDevice != 0 {
			return nil // a whiteout, which the overlay lists where it cannot hide anything
		}
		return err
	}
	sub, err := linux.OpenAt(dir, e.Name(), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer sub.Close()
	below, err := lowers.below(e.Name())
	defer below.close()
	if err != nil {
		return err
	}
	return c.dir(sub, path.Join(at, e.Name()), below, depth+1)
}

// files copies up regular files: who opens one for writing has all of it in the upper layer,
// with "metacopy", too.
func (c *copier) files(dir *os.File, names []string) error {
	errs := make([]error, min(copiesAtOnce, len(names)))
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			for n := i; n < len(names) && errs[i] == nil; n += len(errs) {
				if errs[i] = c.ctx.Err(); errs[i] == nil {
					errs[i] = openAndClose(dir, names[n])
				}
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func openAndClose(dir *os.File, name string) error {
	f, err := linux.OpenAt(dir, name, unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// makeWhiteout makes what the overlay itself refuses to.
func (s *Stage) makeWhiteout(dir, name string) error {
	upper, err := s.openUpper(dir)
	if err != nil {
		return err
	}
	defer upper.Close()
	mknod := func() error { return linux.Mknod(upper, name, unix.S_IFCHR, 0) }
	if s.upper.mapped {
		err = mknod()
	} else {
		err = s.AsRoot(mknod)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
