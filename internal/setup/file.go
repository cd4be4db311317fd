package setup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a file as it is now.
type File struct {
	// Path is absolute and has no symbolic links, as far as it exists.
	Path string
	// Data is what it holds, where it Exists.
	Data   []byte
	Exists bool
}

// maxFile is the size, in bytes, of the largest configuration that is edited.
const maxFile = 4 << 20

// ReadFile reads a file that need not exist. A symbolic link is followed, so that what it
// leads to is edited, not replaced.
func ReadFile(path string) (File, error) {
	f := File{Path: path}
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(path); err == nil {
			return f, fmt.Errorf("%s: %w: it is a symbolic link that leads nowhere", path, ErrForm)
		}
		return f, nil
	}
	if err != nil {
		return f, err
	}
	f.Path, f.Exists = real, true
	in, err := os.Open(real)
	if err != nil {
		return f, err
	}
	defer in.Close()
	if info, err := in.Stat(); err != nil {
		return f, err
	} else if !info.Mode().IsRegular() {
		return f, fmt.Errorf("%s: %w: it is not a file", real, ErrForm)
	}
	if f.Data, err = io.ReadAll(io.LimitReader(in, maxFile+1)); err == nil && len(f.Data) > maxFile {
		err = fmt.Errorf("%s: %w: it is larger than %d bytes", real, ErrForm, maxFile)
	}
	return f, err
}

// write makes a file hold what f says, or be gone, at once: whoever reads it sees the old or
// the new content. Owner and mode stay; a new file has mode 0644.
func (f File) write() error {
	if !f.Exists {
		if err := os.Remove(f.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return syncDir(filepath.Dir(f.Path))
	}
	mode, uid, gid := fs.FileMode(0o644), 0, 0
	if owner, perm, ok := ownerOf(f.Path); ok {
		mode, uid, gid = perm, owner[0], owner[1]
	}
	return replace(f.Path, f.Data, mode, uid, gid)
}

// Replace makes a file with mode 0644 hold data, at once; owner and mode of one that is
// there already stay.
func Replace(path string, data []byte) error {
	return File{Path: path, Data: data, Exists: true}.write()
}

// ReplaceProgram makes a file a program with that content, at once: who runs the old one
// goes on with it.
func ReplaceProgram(path string, data []byte) error {
	return replace(path, data, 0o755, os.Geteuid(), os.Getegid())
}

func replace(path string, data []byte, mode fs.FileMode, uid, gid int) error {
	dir := filepath.Dir(path)
	next, err := os.CreateTemp(dir, "."+filepath.Base(path)+".eci-*")
	if err != nil {
		return err
	}
	_, err = next.Write(data)
	if err == nil {
		err = next.Chmod(mode)
	}
	if err == nil && (uid != os.Geteuid() || gid != os.Getegid()) {
		err = next.Chown(uid, gid)
	}
	if err == nil {
		err = next.Sync()
	}
	if closed := next.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(next.Name(), path)
	}
	if err != nil {
		_ = os.Remove(next.Name())
		return err
	}
	return syncDir(dir)
}

// syncDir writes the names of a directory to disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
