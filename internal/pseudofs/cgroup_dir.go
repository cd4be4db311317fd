package pseudofs

import (
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// cgroupDirs are the directories of a container's cgroup, and a buffer for the
// contents of their files.
type cgroupDirs struct {
	byName map[string]*cgroupDir // by controller; "" is v2's
	buf    []byte
	names  map[string]string // of numbers in memory.stat
}

// cgroupDir is a directory of one hierarchy. Its files stay open after they were
// read for the first time: reading one again takes 1 µs, opening it 5 µs. A file
// that is open keeps neither the cgroup nor its mount, and reading it says ENODEV
// when the cgroup is gone.
type cgroupDir struct {
	file  *os.File // O_PATH
	above int      // cgroups above it that can be seen
	files map[cgroupFile]*os.File
}

// cgroupFile is a file of a cgroup, or of the one that is up levels above.
type cgroupFile struct {
	up   int
	name string
}

// newCgroupDirs opens what is there. Controllers that share a hierarchy share the
// directory.
func newCgroupDirs(paths map[string]string) *cgroupDirs {
	d := &cgroupDirs{byName: map[string]*cgroupDir{}, buf: make([]byte, 4096), names: map[string]string{}}
	opened := map[string]*cgroupDir{}
	for name, path := range paths {
		if opened[path] == nil {
			file, err := linux.OpenAt(nil, path, unix.O_PATH|unix.O_DIRECTORY, 0)
			if err != nil {
				continue
			}
			opened[path] = &cgroupDir{file: file, above: cgroupsAbove(file), files: map[cgroupFile]*os.File{}}
		}
		d.byName[name] = opened[path]
	}
	return d
}

// cgroupsAbove counts the cgroups above a directory: what has no cgroup.procs is
// not one, but where the hierarchy is mounted.
func cgroupsAbove(dir *os.File) int {
	const most = 64
	for n := range most {
		_, err := linux.StatAt(dir, strings.Repeat("../", n+1)+"cgroup.procs")
		if err != nil {
			return n
		}
	}
	return most
}

// read gives the content of a file of a controller, nil if there is none. It is
// good until the next call.
func (d *cgroupDirs) read(controller, name string) []byte {
	return d.readAbove(controller, 0, name)
}

// readAbove reads a file of the cgroup that is up levels above.
func (d *cgroupDirs) readAbove(controller string, up int, name string) []byte {
	dir := d.byName[controller]
	if dir == nil {
		return nil
	}
	key := cgroupFile{up, name}
	file := dir.files[key]
	if file == nil {
		var err error
		if file, err = linux.OpenAt(dir.file, strings.Repeat("../", up)+name, unix.O_RDONLY, 0); err != nil {
			return nil
		}
		dir.files[key] = file
	}
	text, err := d.readFrom(file)
	if err != nil {
		delete(dir.files, key)
		file.Close()
		return nil
	}
	return text
}

// readFrom reads a file from its beginning.
func (d *cgroupDirs) readFrom(file *os.File) ([]byte, error) {
	const most = 1 << 20
	for {
		n, err := file.ReadAt(d.buf, 0)
		switch {
		case err == io.EOF:
			return d.buf[:n], nil
		case err != nil:
			return nil, err
		case len(d.buf) >= most:
			return d.buf, nil
		}
		d.buf = make([]byte, 4*len(d.buf))
	}
}

// number reads a file with one number.
func (d *cgroupDirs) number(controller, name string) uint64 {
	n, _ := parseCount(d.read(controller, name))
	return n
}

// above is how many cgroups can be seen above that of a controller.
func (d *cgroupDirs) above(controller string) int {
	if dir := d.byName[controller]; dir != nil {
		return dir.above
	}
	return -1
}

// nearest reads the first file of that name that is not empty, from the cgroup
// upwards.
func (d *cgroupDirs) nearest(controller, name string) []byte {
	for up := range d.above(controller) + 1 {
		if text := d.readAbove(controller, up, name); len(text) > 1 {
			return text
		}
	}
	return nil
}

// intern gives a name that stays, without allocating it each time.
func (d *cgroupDirs) intern(name []byte) string {
	s, ok := d.names[string(name)]
	if !ok {
		s = string(name)
		d.names[s] = s
	}
	return s
}

func (d *cgroupDirs) close() {
	for _, dir := range d.byName {
		dir.file.Close() // once more where two controllers share it
		for key, file := range dir.files {
			file.Close()
			delete(dir.files, key)
		}
	}
	clear(d.byName)
}
