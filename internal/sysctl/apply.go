package sysctl

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/eci-runtime/eci/internal/linux"
)

// apply sets the host's value of a node to what is asked for now.
func (c Claims) apply(d claimDir, node string, claims []claim) error {
	s, err := d.setting(node)
	raised := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	asked, any := highest(node, claims)
	if !raised && !any {
		return nil
	}
	now, err := c.read(node)
	if errors.Is(err, fs.ErrNotExist) {
		// A module that is gone, and its settings with it.
		if err = nil; raised {
			err = linux.Unlink(d.File, node)
		}
		return err
	}
	if err != nil {
		return err
	}
	if !raised || now != s.before && now != s.after {
		s.original = now
	}
	want := s.original
	if any {
		want = max(want, asked)
	}
	if want != now || !raised {
		s.before, s.after = now, want
		if err := d.record(node, s); err != nil {
			return err
		}
	}
	if want != now {
		if err := c.write(node, want); err != nil {
			return err
		}
		// The kernel may have made something else of it.
		if s.after, err = c.read(node); err != nil {
			return err
		}
		if s.after != want {
			if err := d.record(node, s); err != nil {
				return err
			}
		}
	}
	if !any {
		return linux.Unlink(d.File, node)
	}
	return nil
}

// highest is the highest value that is asked for.
func highest(node string, claims []claim) (value int64, any bool) {
	for _, l := range claims {
		if l.node == node && (!any || l.value > value) {
			value, any = l.value, true
		}
	}
	return value, any
}

func (c Claims) path(node string) string {
	return filepath.Join(cmp.Or(c.Proc, "/proc/sys"), Nodes[node])
}

func (c Claims) read(node string) (int64, error) {
	text, err := os.ReadFile(c.path(node))
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}

// write writes a value without truncating, as a setting is no file: what reads a fake one in
// a test never finds it empty.
func (c Claims) write(node string, value int64) error {
	f, err := os.OpenFile(c.path(node), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.FormatInt(value, 10) + "\n")
	return errors.Join(err, f.Close())
}
