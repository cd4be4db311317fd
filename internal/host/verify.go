package host

import (
	"errors"
	"fmt"
	"os"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/linux"
)

// ErrChanged says that what is mounted below a source is not what was judged.
var ErrChanged = errors.New("what is mounted on the host below a volume changed while the container was created")

// part is a mount below a source, as far as it was judged.
type part struct {
	device uint64
	root   string
}

func partOf(m *mountinfo.Info) part { return part{deviceOf(m), m.Root} }

// Verify tells whether a clone of what was opened, which is attached in the caller's mount
// namespace with nothing on it, holds no mount that was not judged: one can appear
// between the look and the clone. The clone is looked at only where the kernel says
// that the host's mounts have changed since.
func (o *Opened) Verify(source *idmap.Source, clone *os.File) error {
	judged, recursive := o.parts[source]
	if !recursive {
		return nil
	}
	changed, err := o.view.changed(o.seen)
	if err != nil || !changed {
		return err
	}
	st, err := linux.StatFile(clone)
	if err != nil {
		return err
	}
	f, err := linux.OpenAt(nil, "/proc/thread-self/mountinfo", unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	all, err := mountinfo.GetMountsFromReader(f, nil)
	if err != nil {
		return err
	}
	for _, m := range beneath(all, int(st.MountID)) {
		if !judged[partOf(m)] {
			return fmt.Errorf("%w: %q", ErrChanged, source.Path)
		}
	}
	return nil
}

// beneath are the mounts on a mount, and on these.
func beneath(all []*mountinfo.Info, id int) []*mountinfo.Info {
	var found []*mountinfo.Info
	for _, m := range all {
		if m.Parent == id && m.ID != id {
			found = append(found, m)
			found = append(found, beneath(all, m.ID)...)
		}
	}
	return found
}
