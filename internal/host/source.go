package host

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/policy"
)

// open opens a source, once, as the host resolves its path. What is not there has no
// facts; what cannot be opened for another reason has those that say why.
func (o *observer) open(name string) (*idmap.Source, policy.Source) {
	source, err := idmap.OpenSource(o.view.root, name)
	switch {
	case err == nil:
		return source, policy.Source{}
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return nil, policy.Source{}
	case errors.Is(err, unix.ELOOP) && o.isMagic(name):
		return nil, policy.Source{Why: "it leads through a magic link of /proc, which means another thing to each process"}
	}
	var errno unix.Errno
	if errors.As(err, &errno) {
		err = errno // the path stands in the sentence already
	}
	return nil, policy.Source{Why: fmt.Sprintf("it cannot be opened: %v", err)}
}

// isMagic tells a magic link (proc(5)) on the way from too many links.
func (o *observer) isMagic(name string) bool {
	f, err := linux.OpenHow(o.view.root, name, unix.O_PATH, unix.RESOLVE_IN_ROOT)
	if err == nil {
		f.Close()
	}
	return errors.Is(err, unix.EXDEV)
}

// describe says what an opened source is. With recursive, what is mounted below it
// counts as well.
func (o *observer) describe(s *idmap.Source, recursive bool, find finder) (policy.Source, error) {
	d := kindOf(s.Path, s.Stat)
	d.Path = s.Path
	real, err := linux.PathOf(s.File)
	if err != nil {
		return d, err
	}
	at, ok := o.table.object(real, s.Stat.MountID)
	if !ok || o.deleted(real, s.Stat) {
		return policy.Source{Path: s.Path, Why: "it was removed, or unmounted, while it was looked at"}, nil
	}
	d.Device, d.Inode, d.FileSystem = s.Stat.Dev, s.Stat.Ino, at.mount.FSType
	d.Paths = o.table.names(at)
	d.Below = o.table.held(at, d.Paths)
	d.Layers = o.layers(at, find)
	if recursive {
		parts := make(map[part]bool)
		o.opened.parts[s] = parts
		for _, m := range o.table.below(real) {
			parts[partOf(m.mount)] = true
			names := o.table.names(m)
			d.Below = append(d.Below, policy.Submount{Paths: names, FileSystem: m.mount.FSType})
			d.Below = append(d.Below, o.table.held(m, names)...)
			d.Layers = append(d.Layers, o.layers(m, find)...)
		}
	}
	return d, nil
}

// deleted tells whether an opened file has lost its name, which its path then says
// behind it; but any file may be called so.
func (o *observer) deleted(real string, st linux.Stat) bool {
	if !strings.HasSuffix(real, " (deleted)") {
		return false
	}
	now, err := linux.StatAt(o.view.root, "."+real)
	return err != nil || now.Dev != st.Dev || now.Ino != st.Ino
}

// kindOf says what kind of file something is, and which device.
func kindOf(name string, st linux.Stat) policy.Source {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return policy.Source{Kind: policy.KindDir}
	case unix.S_IFREG:
		return policy.Source{Kind: policy.KindFile}
	case unix.S_IFSOCK:
		return policy.Source{Kind: policy.KindSocket}
	}
	if node, ok := nodeOf(name, st); ok {
		return policy.Source{Kind: policy.KindDevice, Node: node}
	}
	return policy.Source{Kind: policy.KindOther}
}
