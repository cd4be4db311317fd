package conf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Kind says what a file of the configuration is.
type Kind int

// The kinds, in the order in which files are read.
const (
	Main   Kind = iota // the main file
	DropIn             // one of conf.d
	Pins               // images.lock
)

// File is a file of the configuration, as it was when it was read.
type File struct {
	// Path is its name, not where a symbolic link leads.
	Path string

	// Kind is what it is read as.
	Kind Kind

	// Data is its whole content.
	Data []byte
}

// maxSize is how large a file may be.
const maxSize = 1 << 20

// readAll reads the files of a configuration, in the order in which they count. A
// missing main file is an error if it was named.
func readAll(root *os.File, main string, named bool) ([]File, error) {
	if !filepath.IsAbs(main) {
		return nil, fmt.Errorf("%q is not an absolute path", main)
	}
	var w walker
	defer w.Close()
	at, err := w.start(root)
	if err != nil {
		return nil, err
	}
	dir, name := filepath.Split(filepath.Clean(main))
	if dir != "/" {
		at, _, err = w.open(at, dir, dirFlags)
	}
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := reader{walker: &w, dir: dir}
	if err := r.add(Main, at, name); errors.Is(err, fs.ErrNotExist) && named || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := r.addDropIns(at); err != nil {
		return nil, err
	}
	if err := r.add(Pins, at, "images.lock"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return r.files, nil
}

// reader collects files.
type reader struct {
	*walker
	dir   string // of the main file, by its name
	files []File
}

// add reads the file called name in a directory.
func (r *reader) add(kind Kind, at place, name string) error {
	path := r.dir + name
	if kind == DropIn {
		path = r.dir + dropIns + "/" + name
	}
	data, err := r.read(at, name)
	if err == nil {
		r.files = append(r.files, File{path, kind, data})
	}
	return err
}

// dropIns is the directory of further files.
const dropIns = "conf.d"

// addDropIns reads conf.d/*.toml; as everywhere, a star stands for no hidden file.
func (r *reader) addDropIns(at place) error {
	inside, dir, err := r.open(at, dropIns, unix.O_RDONLY|unix.O_DIRECTORY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if !strings.HasSuffix(name, ".toml") || strings.HasPrefix(name, ".") {
			continue
		}
		if err := r.add(DropIn, inside, name); err != nil {
			return err
		}
	}
	return trustDir(dir, true)
}

// read reads one file. Its directory must be root's alone: else others could have
// left out, or added, a file.
func (w *walker) read(at place, name string) ([]byte, error) {
	if err := trustDir(at.dir(), true); err != nil {
		return nil, err
	}
	// O_NONBLOCK: a FIFO would else wait for somebody who writes.
	_, f, err := w.open(at, name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	if err := trustFile(f); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(data) > maxSize {
		err = fmt.Errorf("%s is larger than %d bytes", f.Name(), maxSize)
	}
	return data, err
}
