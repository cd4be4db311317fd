package pseudofs

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// search looks for the nodes that an instance of proc or sysfs has. It opens each directory
// once, as nodes of one directory stand together.
type search struct {
	fs         *FS
	root       *os.File
	kind       Kind
	withServed bool
	network    bool // the thread is in the container's network namespace
	own        bool // it is that of the network namespace that the container was created with

	path     string   // of the directory that is open
	dir      *os.File // nil: there is no such directory, or it is not the kernel's
	readOnly bool     // the mount that it lies on
	found    *places
}

// beneath opens what is below a directory and not through a link. Mounts on the way are
// crossed: a client's read-only bind of /proc/sys is one.
const beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS

// under finds the nodes below a directory: those of the network, or the others.
func (s *search) under(prefix string, network bool) error {
	s.network = network
	var whole []string // served directories that are found
	if network && s.withServed {
		for _, d := range served {
			lacks, err := s.lacks(d.path, d.lacks)
			if err != nil {
				return err
			}
			if !lacks {
				continue
			}
			whole = append(whole, d.path+"/")
			if err := s.add(d.path, nil); err != nil {
				return err
			}
		}
	}
	for i := range nodes {
		n := &nodes[i]
		switch {
		case !strings.HasPrefix(n.path, prefix+"/"), !s.fs.shows(n):
		case strings.HasPrefix(n.path, "proc/sys/net/") != network:
		case within(n.path, whole):
		default:
			if err := s.add(n.path, n); err != nil {
				return err
			}
		}
	}
	return nil
}

func within(path string, dirs []string) bool {
	for _, d := range dirs {
		if strings.HasPrefix(path, d) {
			return true
		}
	}
	return false
}

// lacks tells whether a directory is there and has not all of some entries.
func (s *search) lacks(path string, entries []string) (bool, error) {
	if err := s.enter(path); err != nil || s.dir == nil {
		return false, err
	}
	for _, name := range entries {
		if _, err := linux.StatAt(s.dir, name); isMissing(err) {
			return true, nil
		} else if err != nil {
			return false, err
		}
	}
	return false, nil
}

// add finds one node; n is nil for a directory that is served.
func (s *search) add(path string, n *node) error {
	parent, name := split(path)
	if err := s.enter(parent); err != nil || s.dir == nil {
		return err
	}
	p := place{entry: entry(path), at: s.dir, name: name, readOnly: s.readOnly}
	if s.network { // another thread would find another one
		at, err := linux.OpenHow(s.dir, name, unix.O_PATH|unix.O_NOFOLLOW, beneath)
		if isMissing(err) {
			return nil
		}
		if err != nil {
			return err
		}
		s.found.open = append(s.found.open, at)
		p.at, p.name = at, ""
	}
	st, err := linux.StatAt(p.at, p.name)
	switch {
	case isMissing(err):
	case err != nil:
		return err
	case st.MountRoot:
		s.fs.skipped.Add(1)
	case st.IsDir() != (n == nil), st.Mode&unix.S_IFMT == unix.S_IFLNK, n != nil && n.writable() && s.grants(st):
	default:
		if n == nil && s.own {
			p.entry = ownEntry(path)
		}
		s.found.all = append(s.found.all, p)
	}
	return nil
}

// grants tells whether the kernel lets the container's root write a node: then it has a
// namespace for it (kernel.pid_max from Linux 6.14 on), and needs nobody in its place. All
// other nodes belong to the host's root.
func (s *search) grants(st linux.Stat) bool { return st.UID == s.fs.UID && st.Mode&0o200 != 0 }

// enter opens a directory of the instance, if it is the kernel's.
func (s *search) enter(path string) error {
	if s.path == path {
		return nil
	}
	s.path, s.dir = path, nil
	below := strings.TrimPrefix(strings.TrimPrefix(path, kinds[s.kind].root), "/")
	if below == "" {
		below = "."
	}
	dir, err := linux.OpenHow(s.root, below, unix.O_PATH|unix.O_DIRECTORY, beneath)
	if isMissing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	magic, err := linux.FSMagic(dir)
	if err == nil && magic == kinds[s.kind].magic {
		if s.readOnly, err = linux.IsReadOnly(dir); err == nil {
			s.dir = dir
			s.found.open = append(s.found.open, dir)
			return nil
		}
	}
	dir.Close()
	return err
}

// isMissing tells that a path leads to nothing, or to something of another type.
func isMissing(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)
}
