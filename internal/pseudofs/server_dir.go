package pseudofs

import (
	"maps"
	"slices"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// ReadDir lists a served directory; the root lists itself with ReadDirPlus.
func (o *ops) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return o.list(in, func(e fuse.DirEntry) bool { return out.AddDirEntry(e) })
}

// ReadDirPlus lists the root with all that the kernel must know of each entry, so that
// [FS.Cover] need not look them up one by one. In served directories it tells the names
// only, for what is behind them differs by network namespace.
func (o *ops) ReadDirPlus(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return o.list(in, func(e fuse.DirEntry) bool {
		plus := out.AddDirLookupEntry(e)
		if plus != nil && in.NodeId == rootID && e.Name[0] != '.' {
			o.entry(e.Ino, plus)
		}
		return plus != nil
	})
}

// list calls add for the entries of a directory from an offset on, until that has no room.
func (o *ops) list(in *fuse.ReadIn, add func(fuse.DirEntry) bool) fuse.Status {
	var all []fuse.DirEntry
	var err error
	switch in.NodeId {
	case rootID:
		all = o.entries(rootEntries)
	default:
		all, err = o.fs.net.list(o, &in.InHeader)
	}
	if err != nil {
		return o.status(err)
	}
	all = append([]fuse.DirEntry{{Name: ".", Ino: in.NodeId, Mode: unix.S_IFDIR}, {Name: "..", Mode: unix.S_IFDIR}}, all...)
	for i := min(in.Offset, uint64(len(all))); i < uint64(len(all)); i++ {
		all[i].Off = i + 1
		if !add(all[i]) {
			break
		}
	}
	return fuse.OK
}

// entries are those that the container has, by name.
func (o *ops) entries(ids map[string]uint64) []fuse.DirEntry {
	var out []fuse.DirEntry
	for _, name := range slices.Sorted(maps.Keys(ids)) {
		if id := ids[name]; o.exists(id) {
			mode := uint32(unix.S_IFREG)
			if a, ok := o.static(id); ok {
				mode = a.Mode
			}
			out = append(out, fuse.DirEntry{Name: name, Ino: id, Mode: mode})
		}
	}
	return out
}

// Nobody makes, renames or removes anything here; the default, ENOSYS, is not what the
// kernel's own directories say.

func (o *ops) Create(<-chan struct{}, *fuse.CreateIn, string, *fuse.CreateOut) fuse.Status {
	return fuse.EACCES
}

func (o *ops) Mknod(<-chan struct{}, *fuse.MknodIn, string, *fuse.EntryOut) fuse.Status {
	return fuse.EPERM
}

func (o *ops) Mkdir(<-chan struct{}, *fuse.MkdirIn, string, *fuse.EntryOut) fuse.Status {
	return fuse.EPERM
}

func (o *ops) Unlink(<-chan struct{}, *fuse.InHeader, string) fuse.Status { return fuse.EPERM }

func (o *ops) Rmdir(<-chan struct{}, *fuse.InHeader, string) fuse.Status { return fuse.EPERM }

func (o *ops) Rename(<-chan struct{}, *fuse.RenameIn, string, string) fuse.Status {
	return fuse.EPERM
}

func (o *ops) Link(<-chan struct{}, *fuse.LinkIn, string, *fuse.EntryOut) fuse.Status {
	return fuse.EPERM
}

func (o *ops) Symlink(<-chan struct{}, *fuse.InHeader, string, string, *fuse.EntryOut) fuse.Status {
	return fuse.EPERM
}

// Forget is told of names that the kernel no longer has. Only what is passed through is
// counted.
func (o *ops) Forget(id, lookups uint64) {
	if id >= firstNetID {
		o.fs.net.forget(id, lookups)
	}
}
