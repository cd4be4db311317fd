package pseudofs

import "encoding/binary"

// notifyInvalInode is FUSE_NOTIFY_INVAL_INODE, linux/fuse.h.
const notifyInvalInode = 2

// forgetAttributes makes the kernel ask for the attributes of a file when it is opened next.
// After a write it does so only when the file is read, and not for splice(2) and sendfile(2),
// by which busybox and cat copy: they would find what the cache has. It says nothing of the
// pages (the offset is negative), which the kernel keeps locked while somebody writes; they go
// when the time of modification turns out to be another one.
func (c *conn) forgetAttributes(id uint64) {
	const header, body = 16, 24
	x := exchanges.Get().(*exchange)
	b := x.out[:0]
	b = binary.NativeEndian.AppendUint32(b, header+body)
	b = binary.NativeEndian.AppendUint32(b, notifyInvalInode)
	b = binary.NativeEndian.AppendUint64(b, 0) // answers nothing
	b = binary.NativeEndian.AppendUint64(b, id)
	b = binary.NativeEndian.AppendUint64(b, ^uint64(0))
	b = binary.NativeEndian.AppendUint64(b, 0)
	x.size, x.notice = len(b), true
	c.send(x)
}
