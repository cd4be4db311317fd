package pseudofs

import (
	"errors"
	"io/fs"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// ops answers the kernel's requests. What is not here is answered ENOSYS, after which the
// kernel does not ask again.
type ops struct {
	fuse.RawFileSystem
	fs *FS
}

// forever is how long the kernel may keep a name: they never change.
const forever = 24 * time.Hour

func (o *ops) String() string { return "eci" }

// status is what the kernel is told of an error.
func (o *ops) status(err error) fuse.Status {
	var errno unix.Errno
	switch {
	case err == nil:
		return fuse.OK
	case errors.As(err, &errno):
		return fuse.Status(errno)
	case errors.Is(err, fs.ErrNotExist):
		return fuse.ENOENT
	}
	o.fs.Logf("pseudo-file: %v", err)
	return fuse.EIO
}

// Lookup finds a name. The attributes that it gives are the last ones, and not valid: to
// have new ones the file would have to be rendered, and most are mounted without being read.
func (o *ops) Lookup(_ <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	if h.NodeId == rootID {
		id, ok := rootEntries[name]
		if !ok || !o.exists(id) {
			return fuse.ENOENT
		}
		o.entry(id, out)
		return fuse.OK
	}
	return o.status(o.fs.net.lookup(o, h, name, out))
}

// exists tells whether the inode of a name is one that the container has.
func (o *ops) exists(id uint64) bool {
	i, ok := fileOf(id)
	return !ok || o.fs.shows(&nodes[i])
}

// entry describes an inode with a number that never changes.
func (o *ops) entry(id uint64, out *fuse.EntryOut) {
	out.NodeId = id
	out.SetEntryTimeout(forever)
	if i, ok := fileOf(id); ok {
		text, stamp := o.fs.files[i].last()
		out.Attr = o.fs.attributes(i, len(text), stamp)
		return
	}
	out.Attr, _ = o.static(id)
	out.SetAttrTimeout(still)
}

// static are the attributes of what is no node.
func (o *ops) static(id uint64) (fuse.Attr, bool) {
	switch _, _, isDir := dirOf(id); {
	case id == maskFileID:
		return o.fs.attr(id, unix.S_IFREG|0o444).Attr, true
	case id == rootID, id == maskDirID, isDir:
		a := o.fs.attr(id, unix.S_IFDIR|0o555)
		a.Nlink = 2
		return a.Attr, true
	}
	return fuse.Attr{}, false
}

// GetAttr gives size and modification time: whoever reads comes here first, if what the
// kernel knows is too old.
func (o *ops) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	return o.attr(&in.InHeader, out)
}

func (o *ops) attr(h *fuse.InHeader, out *fuse.AttrOut) fuse.Status {
	if i, ok := fileOf(h.NodeId); ok {
		text, stamp, valid, err := o.fs.refresh(i)
		if err != nil {
			return o.status(err)
		}
		out.Attr = o.fs.attributes(i, len(text), stamp)
		out.SetTimeout(valid)
		return fuse.OK
	}
	if a, ok := o.static(h.NodeId); ok {
		out.Attr = a
		out.SetTimeout(still)
		return fuse.OK
	}
	return o.status(o.fs.net.getAttr(o, h, out))
}

// SetAttr is truncate (O_TRUNC, before a write), which does nothing as in the kernel's own
// nodes: who reads meanwhile gets the value and not an empty file. Times are ignored. Owner
// and mode stay (EPERM).
func (o *ops) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	if in.Valid&(fuse.FATTR_MODE|fuse.FATTR_UID|fuse.FATTR_GID) != 0 {
		return fuse.EPERM
	}
	if i, ok := fileOf(in.NodeId); in.Valid&fuse.FATTR_SIZE != 0 && (ok && !nodes[i].writable() || in.NodeId == maskFileID) {
		return fuse.EACCES
	}
	return o.attr(&in.InHeader, out)
}

// Open is not asked again after the first time, and then costs nothing.
func (o *ops) Open(<-chan struct{}, *fuse.OpenIn, *fuse.OpenOut) fuse.Status { return fuse.ENOSYS }

// Flush is not asked again either.
func (o *ops) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.ENOSYS }

func (o *ops) Read(_ <-chan struct{}, in *fuse.ReadIn, _ []byte) (fuse.ReadResult, fuse.Status) {
	var text []byte
	var err error
	if i, ok := fileOf(in.NodeId); ok {
		text, err = o.fs.read(i)
	} else if in.NodeId != maskFileID {
		text, err = o.fs.net.read(&in.InHeader)
	}
	if err != nil {
		return nil, o.status(err)
	}
	text = text[min(in.Offset, uint64(len(text))):]
	return fuse.ReadResultData(text[:min(len(text), int(in.Size))]), fuse.OK
}

func (o *ops) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	var n int
	var err error
	if i, ok := fileOf(in.NodeId); ok {
		if n, err = o.fs.write(i, offset(in), data); err == nil {
			o.fs.conn.forgetAttributes(in.NodeId)
		}
	} else if in.NodeId == maskFileID {
		err = unix.EACCES
	} else {
		n, err = o.fs.net.write(o, &in.InHeader, offset(in), data)
		o.fs.conn.forgetAttributes(in.NodeId)
	}
	return uint32(n), o.status(err)
}

// offset is where a write to a sysctl begins: to append is to write from the beginning, as in the
// kernel's own nodes, which have no size.
func offset(in *fuse.WriteIn) int64 {
	if in.Flags&unix.O_APPEND != 0 {
		return 0
	}
	return int64(in.Offset)
}

// OpenDir: the kernel must not keep what is listed, for it differs by network namespace.
func (o *ops) OpenDir(<-chan struct{}, *fuse.OpenIn, *fuse.OpenOut) fuse.Status { return fuse.OK }

func (o *ops) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	out.Bsize, out.NameLen = pageSize, 255
	return fuse.OK
}

func (o *ops) Ioctl(<-chan struct{}, *fuse.IoctlIn, []byte, *fuse.IoctlOut, []byte) fuse.Status {
	return fuse.Status(unix.ENOTTY)
}
