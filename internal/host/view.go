package host

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// View is a host as its engine sees it: a mount namespace, kept open by one who may
// live in another.
type View struct {
	ns   *os.File
	root *os.File

	mu     sync.Mutex
	mounts *os.File // mountinfo of ns
	buffer []byte
	state  uint64 // counts changes of the table, as far as they were noticed
}

// Open opens the view from the mount namespace ns, and takes ns over.
func Open(ns *os.File) (*View, error) {
	v := &View{ns: ns}
	err := linux.OnThread(func() (err error) {
		if err = linux.EnterMountNS(ns); err != nil {
			return err
		}
		if v.root, err = linux.OpenAt(nil, "/", unix.O_PATH|unix.O_DIRECTORY, 0); err != nil {
			return err
		}
		// It goes on showing this namespace when the thread has ended.
		v.mounts, err = linux.OpenAt(nil, "/proc/thread-self/mountinfo", unix.O_RDONLY, 0)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open the host's mount namespace: %w", errors.Join(err, v.Close()))
	}
	return v, nil
}

// Here is the view from the caller's own namespace.
func Here() (*View, error) {
	ns, err := linux.OpenNS(0, "mnt")
	if err != nil {
		return nil, err
	}
	return Open(ns)
}

// Close closes the view and what it was opened from.
func (v *View) Close() error {
	var errs []error
	for _, f := range []*os.File{v.ns, v.root, v.mounts} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// NS is the mount namespace.
func (v *View) NS() *os.File { return v.ns }

// Root is the root directory of the namespace.
func (v *View) Root() *os.File { return v.root }

// table reads the mount table.
func (v *View) table() (*table, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	// What changes from here on is noticed later.
	if err := v.notice(); err != nil {
		return nil, err
	}
	data, err := v.read()
	if err != nil {
		return nil, fmt.Errorf("read the mounts of the host: %w", err)
	}
	all, err := mountinfo.GetMountsFromReader(bytes.NewReader(data), nil)
	if err != nil {
		return nil, fmt.Errorf("read the mounts of the host: %w", err)
	}
	t := newTable(all)
	t.state = v.state
	return t, nil
}

// read gives the text of the table. It is valid until the next call.
func (v *View) read() ([]byte, error) {
	if v.buffer == nil {
		v.buffer = make([]byte, 64<<10)
	}
	if _, err := v.mounts.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	for n := 0; ; {
		if n == len(v.buffer) {
			v.buffer = append(v.buffer, v.buffer...)
		}
		m, err := v.mounts.Read(v.buffer[n:])
		n += m
		if errors.Is(err, io.EOF) {
			return v.buffer[:n], nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// changed tells whether something was mounted or unmounted since a state.
func (v *View) changed(since uint64) (bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	err := v.notice()
	return v.state != since, err
}

func (v *View) notice() error {
	changed, err := linux.MountsChanged(v.mounts)
	if changed {
		v.state++
	}
	return err
}
