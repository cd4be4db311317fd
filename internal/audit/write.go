package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/policy"
)

// Log is where lines go.
type Log struct {
	// Root is the root directory of the host; nil: that of the process. An O_PATH
	// descriptor will do.
	Root *os.File

	// Audit names the destinations; without any, Write does nothing.
	policy.Audit
}

// Write writes the lines of one decision. Those that the configuration does not want
// are left out.
func (l Log) Write(lines ...Line) error {
	now := time.Now().UTC()
	var wanted []Line
	for _, line := range lines {
		if line.Verdict == policy.Allowed && l.Denied {
			continue
		}
		line.Time = now
		wanted = append(wanted, line)
	}
	if len(wanted) == 0 || l.File == "" && !l.Journal {
		return nil
	}
	var errs []error
	if l.File != "" {
		errs = append(errs, l.toFile(wanted))
	}
	if l.Journal {
		errs = append(errs, l.toJournal(wanted))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	return nil
}

// toFile appends all lines with one write(2), which no other can come between.
func (l Log) toFile(lines []Line) (err error) {
	var b bytes.Buffer
	b.WriteByte('\n') // used where the file ends within a line
	for _, line := range lines {
		if err := encode(&b, line); err != nil {
			return err
		}
	}
	f, err := l.open(unix.O_CREAT)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text := b.Bytes()
	if whole, err := endsLine(f); err != nil {
		return err
	} else if whole {
		text = text[1:]
	}
	n, err := unix.Write(int(f.Fd()), text) // (*os.File).Write would try again after a part
	switch {
	case err != nil:
		return &os.PathError{Op: "write", Path: l.File, Err: err}
	case n < len(text):
		return &os.PathError{Op: "write", Path: l.File, Err: io.ErrShortWrite}
	}
	return nil
}

// Check tells whether a line could be written, without writing one or making
// anything. It cannot tell whether there is room.
func (l Log) Check() error {
	if l.Journal {
		if _, err := os.Stat(journalSocket); err != nil {
			return err
		}
	}
	if l.File == "" {
		return nil
	}
	f, err := l.open(0)
	if errors.Is(err, os.ErrNotExist) {
		_, err = os.Stat(path.Dir(path.Dir(l.File))) // the directory can be made
		return err
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// open opens the file; with O_CREAT, it makes it and its directory if they are
// missing. Both must be root's alone: what others can change proves nothing.
func (l Log) open(create int) (*os.File, error) {
	root := l.Root
	if root == nil {
		var err error
		if root, err = linux.OpenAt(nil, "/", unix.O_PATH|unix.O_DIRECTORY, 0); err != nil {
			return nil, err
		}
		defer root.Close()
	}
	dir, err := openDir(root, path.Dir(l.File), create != 0)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	if err := trust(dir, unix.S_IFDIR); err != nil {
		return nil, err
	}
	const flags = unix.O_RDWR | unix.O_APPEND | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY
	f, err := linux.OpenAt(dir, path.Base(l.File), flags|create, 0o600)
	if err != nil {
		return nil, err
	}
	if err := trust(f, unix.S_IFREG); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// openDir opens a directory below the root. If only its last part is missing, it can
// be made.
func openDir(root *os.File, name string, create bool) (*os.File, error) {
	const flags = unix.O_PATH | unix.O_DIRECTORY
	dir, err := linux.OpenInRoot(root, name, flags)
	if !create || !errors.Is(err, os.ErrNotExist) {
		return dir, err
	}
	parent, err := linux.OpenInRoot(root, path.Dir(name), flags)
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	if err := trust(parent, unix.S_IFDIR); err != nil {
		return nil, err
	}
	err = unix.Mkdirat(int(parent.Fd()), path.Base(name), 0o700)
	if err != nil && err != unix.EEXIST {
		return nil, &os.PathError{Op: "mkdir", Path: name, Err: err}
	}
	return linux.OpenInRoot(root, name, flags|unix.O_NOFOLLOW)
}

// trust refuses what others than root could change or, where the sticky bit keeps
// them from replacing what is root's, could only add to.
func trust(f *os.File, kind uint32) error {
	st, err := linux.StatFile(f)
	switch {
	case err != nil:
		return err
	case st.Mode&unix.S_IFMT != kind:
		return fmt.Errorf("%s is something else than expected (mode %#o)", f.Name(), st.Mode)
	case st.UID != 0 || st.Mode&0o022 != 0 && st.Mode&unix.S_ISVTX == 0:
		return fmt.Errorf("%s must belong to root and be writable by nobody else (owner %d, mode %#o)", f.Name(), st.UID, st.Mode&0o7777)
	}
	return nil
}

// endsLine tells whether a file ends with a whole line, or is empty.
func endsLine(f *os.File) (bool, error) {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil || end == 0 {
		return true, err
	}
	last := []byte{0}
	if _, err := f.ReadAt(last, end-1); err != nil && err != io.EOF { // truncated meanwhile
		return false, err
	}
	return last[0] == '\n', nil
}
