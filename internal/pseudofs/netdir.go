package pseudofs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// netDirs passes the kernel's entries of the served directories through, from the network
// namespace of whoever asks. An inode is a path in one namespace, so that the kernel keeps
// no pages of one for another; a name is valid for the call that asked, and what is known
// of a file for a moment, so that who opens and reads it asks once.
//
// Most who ask are in the network namespace that the container was created with. There are two
// of each served directory: in the one that is mounted where that namespace is seen
// ([FS.places]), names are valid for a moment, too.
type netDirs struct {
	own  atomic.Uint64 // inode number of that namespace; 0: not known yet
	mu   sync.Mutex
	last uint64 // number given, beyond firstNetID
	byID map[uint64]*netNode
	ids  map[netKey]uint64
}

// netKey is a path below /, in the network namespace with an inode number.
type netKey struct {
	ns   uint64
	path string
	own  bool // below a directory for the container's own network namespace
}

type netNode struct {
	netKey
	lookups uint64 // how often the kernel was told of it, less what it has forgotten

	mu    sync.Mutex
	text  []byte
	stamp uint64
	attr  fuse.Attr // as the kernel was last told
}

// lookup finds name in a served directory, or one below it.
func (d *netDirs) lookup(o *ops, h *fuse.InHeader, name string, out *fuse.EntryOut) error {
	parent, entries, through, own, err := d.directory(h.NodeId)
	if err != nil {
		return err
	}
	if id, ok := entries[name]; ok {
		if i, isFile := fileOf(id); isFile {
			if _, err := os.Lstat("/" + nodes[i].path); err != nil {
				return err
			}
		}
		o.entry(id, out)
		return nil
	}
	if !through {
		return fs.ErrNotExist
	}
	path := parent + "/" + name
	return visit(h.Pid, func(ns uint64) error {
		st, err := linux.StatAt(nil, "/"+path)
		if err != nil {
			return err
		}
		id := d.remember(netKey{ns, path, own})
		n, err := d.node(id)
		if err != nil {
			return err
		}
		out.NodeId, out.Attr = id, n.attributes(id, st)
		out.SetAttrTimeout(slow)
		if own && ns == d.own.Load() {
			out.SetEntryTimeout(slow)
		}
		return nil
	})
}

// attributes reads the value, whose size must be known before it is asked for.
func (n *netNode) attributes(id uint64, st linux.Stat) fuse.Attr {
	a := attr{passed(id, st)}
	if !st.IsDir() {
		size, stamp := n.refresh()
		a.Size = uint64(size)
		a.setTime(stamp)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.attr = a.Attr
	return n.attr
}

// sees tells whether a node is what a caller in the network namespace ns has under its name, and
// st its attributes there. A name that is valid for a moment may have been found by somebody else
// in the container. But who was given the open file from a container is elsewhere: what he reads
// is not to be shown to it, and what he writes not to go to his own network.
func (d *netDirs) sees(o *ops, n *netNode, ns uint64, st linux.Stat) bool {
	return ns == n.ns || n.own && n.ns == d.own.Load() && o.fs.owns(st.UID)
}

// directory is the path of a directory's inode, the entries of this package, whether it has
// the kernel's, too, and whether it is for the container's own network namespace.
func (d *netDirs) directory(id uint64) (path string, entries map[string]uint64, through, own bool, err error) {
	if i, own, ok := dirOf(id); ok {
		return dirs[i].path, dirs[i].entries, dirs[i].through, own, nil
	}
	if id == maskDirID {
		return "", nil, false, false, nil
	}
	n, err := d.node(id)
	if err != nil {
		return "", nil, false, false, err
	}
	return n.path, nil, true, n.own, nil
}

func (d *netDirs) node(id uint64) (*netNode, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n, ok := d.byID[id]; ok {
		return n, nil
	}
	return nil, unix.ESTALE
}

func (d *netDirs) remember(key netKey) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	id, ok := d.ids[key]
	if !ok {
		if d.ids == nil {
			d.ids, d.byID = map[netKey]uint64{}, map[uint64]*netNode{}
		}
		d.last++
		id = firstNetID + d.last
		d.ids[key], d.byID[id] = id, &netNode{netKey: key}
	}
	d.byID[id].lookups++
	return id
}

func (d *netDirs) forget(id, lookups uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, ok := d.byID[id]
	if !ok {
		return
	}
	if n.lookups -= min(lookups, n.lookups); n.lookups == 0 {
		delete(d.byID, id)
		delete(d.ids, n.netKey)
	}
}

// getAttr is for who has the file open already.
func (d *netDirs) getAttr(o *ops, h *fuse.InHeader, out *fuse.AttrOut) error {
	n, err := d.node(h.NodeId)
	if err != nil {
		return err
	}
	return visit(h.Pid, func(ns uint64) error {
		st, err := linux.StatAt(nil, "/"+n.path)
		switch {
		case ns != n.ns && (err != nil || !d.sees(o, n, ns, st)):
			n.mu.Lock()
			out.Attr = n.attr
			n.mu.Unlock()
		case err != nil:
			return err
		default:
			out.Attr = n.attributes(h.NodeId, st)
		}
		out.SetTimeout(slow)
		return nil
	})
}

// refresh reads the value in the network namespace of the thread. What cannot be read is
// empty: the caller, who must be allowed to open it, gets no more from the kernel.
func (n *netNode) refresh() (size int, stamp uint64) {
	text, err := readNode("/" + n.path)
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		text = nil
	}
	if n.stamp == 0 || string(text) != string(n.text) {
		n.text, n.stamp = text, newer(n.stamp)
	}
	return len(n.text), n.stamp
}

// read is the text that the kernel knows the size of.
func (d *netDirs) read(h *fuse.InHeader) ([]byte, error) {
	n, err := d.node(h.NodeId)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text, nil
}

// write writes to the kernel's node. As there, the caller's rights count at the write, too, and
// to own the node is not enough (EPERM; [mayWrite]).
func (d *netDirs) write(o *ops, h *fuse.InHeader, off int64, data []byte) (written int, err error) {
	n, err := d.node(h.NodeId)
	if err != nil {
		return 0, err
	}
	err = visit(h.Pid, func(ns uint64) error {
		f, err := linux.OpenAt(nil, "/"+n.path, unix.O_WRONLY|unix.O_NOFOLLOW, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		st, err := linux.StatFile(f)
		if err != nil {
			return err
		}
		if may, err := mayWrite(st, h.Caller); err != nil || !may || !d.sees(o, n, ns, st) {
			return errors.Join(err, unix.EPERM)
		}
		written, err = f.WriteAt(data, off)
		if written > 0 && errors.Is(err, io.ErrShortWrite) {
			err = nil
		}
		return err
	})
	// The kernel has the writer's own text in its cache.
	n.mu.Lock()
	n.stamp = newer(n.stamp)
	n.mu.Unlock()
	return written, err
}

// list are the entries of a directory, sorted.
func (d *netDirs) list(o *ops, h *fuse.InHeader) ([]fuse.DirEntry, error) {
	path, entries, through, _, err := d.directory(h.NodeId)
	if err != nil {
		return nil, err
	}
	out := slices.DeleteFunc(o.entries(entries), func(e fuse.DirEntry) bool {
		i, isFile := fileOf(e.Ino)
		if !isFile {
			return false
		}
		_, err := os.Lstat("/" + nodes[i].path)
		return err != nil
	})
	if !through {
		return out, nil
	}
	err = visit(h.Pid, func(uint64) error {
		there, err := os.ReadDir("/" + path)
		for _, e := range there {
			if _, ok := entries[e.Name()]; ok {
				continue
			}
			mode := uint32(unix.S_IFREG)
			if e.IsDir() {
				mode = unix.S_IFDIR
			}
			out = append(out, fuse.DirEntry{Name: e.Name(), Mode: mode})
		}
		return err
	})
	slices.SortFunc(out, func(a, b fuse.DirEntry) int { return strings.Compare(a.Name, b.Name) })
	return out, err
}

// passed are the kernel's own attributes of an entry, without size and time.
func passed(id uint64, st linux.Stat) fuse.Attr {
	return fuse.Attr{Ino: id, Mode: st.Mode, Nlink: st.Links, Owner: fuse.Owner{Uid: st.UID, Gid: st.GID}, Blksize: pageSize}
}

// readNode reads a file of the kernel at once, as it makes the text anew for each read.
func readNode(path string) ([]byte, error) {
	f, err := linux.OpenAt(nil, path, unix.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buf := make([]byte, 2*pageSize)
	n, err := f.Read(buf)
	if err != nil && err != io.EOF {
		return nil, err
	}
	return buf[:n:n], nil
}
