package shim

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/linux"
)

// procDir is the directory /proc/PID of a container's process. When that has ended, nothing
// can be opened there any more, whoever has its number then.
type procDir struct{ dir *os.File }

// openProcess opens a process of the container that has the IDs. ESRCH if it has ended.
func openProcess(pid uint32, ids idmap.Range) (procDir, error) {
	dir, err := linux.OpenAt(nil, "/proc/"+strconv.FormatUint(uint64(pid), 10), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return procDir{}, err
	}
	p := procDir{dir}
	text, err := p.read("uid_map")
	if want := fmt.Sprintf("0 %d %d", ids.Base, ids.Size); err == nil && strings.Join(strings.Fields(text), " ") != want {
		err = &os.PathError{Op: "open process", Path: dir.Name(), Err: unix.ESRCH} // somebody else's number
	}
	if err != nil {
		p.Close()
		return procDir{}, err
	}
	return p, nil
}

func (p procDir) Close() { p.dir.Close() }

// ended tells whether the process is no more.
func (p procDir) ended() bool {
	if p.dir == nil {
		return true
	}
	_, err := p.read("stat")
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

func (p procDir) open(name string, flags int) (*os.File, error) {
	return linux.OpenAt(p.dir, name, flags, 0)
}

func (p procDir) read(name string) (string, error) {
	f, err := p.open(name, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 4096))
	return string(data), err
}

// boottime is what CLOCK_BOOTTIME of the host was when that of the process was 0.
// time_namespaces(7).
func (p procDir) boottime() (time.Duration, error) {
	text, err := p.read("timens_offsets")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		var clock string
		var secs, nanos int64
		if _, err := fmt.Sscan(line, &clock, &secs, &nanos); err == nil && clock == "boottime" {
			return -(time.Duration(secs)*time.Second + time.Duration(nanos)), nil
		}
	}
	return 0, fmt.Errorf("%s: no offset of boottime in %q", p.dir.Name(), text)
}

// namespace is the inode of a namespace of the process.
func (p procDir) namespace(kind string) (uint64, error) {
	ns, err := p.open("ns/"+kind, unix.O_RDONLY)
	if err != nil {
		return 0, err
	}
	defer ns.Close()
	st, err := linux.StatFile(ns)
	return st.Ino, err
}
