package pseudofs

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// file is what the kernel was last told of a node. The kernel keeps pages of it, and drops
// them when the attributes that it gets have another modification time. So the text that
// READ gives is the one that the attributes were of.
type file struct {
	mu    sync.Mutex
	text  []byte // never changed, only replaced
	stamp uint64 // modification time, nanoseconds since 1970; 0: there is no text yet
	until time.Time
	told  time.Time // when the kernel was last told of it as valid for a while
	asked time.Time // when somebody last asked
	raced bool      // two who asked may have been told of different texts
}

// Of two who ask at the same time and are told of different texts, the kernel believes the
// answer that takes effect first; and who was answered may have to wait for a processor before
// it does. If that was the older one, its size would go with the newer text, as long as it is
// valid. So there is no newer text for a moment after one was told of as valid (late); and
// where somebody asked shortly before a new one (recent), the kernel is made to ask once more
// when it has been read.
const (
	late   = 5 * time.Millisecond
	recent = 100 * time.Millisecond
)

// refresh brings the text up to date, if it is time, and tells for how long it is good.
func (f *FS) refresh(i int) (text []byte, stamp uint64, valid time.Duration, err error) {
	n, s := &nodes[i], &f.files[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	switch n.kind {
	case view:
		valid, err = f.render(n, s)
	case fixed:
		valid = still
		if s.stamp == 0 {
			s.text, s.stamp = []byte(f.UUID+"\n"), newer(0)
		}
	default:
		var now versioned
		now, err = f.values(n).get(n)
		s.text, s.stamp = []byte(now.text), now.stamp
		// Others may write the value of a network node: who shares the network, or has
		// it under another name.
		if valid = still; n.network() {
			valid = slow
		}
	}
	return s.text, s.stamp, valid, err
}

// render renders a view that is no longer valid.
func (f *FS) render(n *node, s *file) (valid time.Duration, err error) {
	now := time.Now()
	before := s.asked
	s.asked = now
	if left := s.until.Sub(now); left > 0 {
		s.told = now
		return left, nil
	}
	if s.stamp != 0 && now.Sub(s.told) < late {
		return 0, nil
	}
	var host []byte
	if n.host {
		if host, err = readHost(n); err != nil {
			return 0, err
		}
	}
	v, err := f.Source.View(n.need)
	if err != nil {
		return 0, err
	}
	if text := n.render(host, v); s.stamp == 0 || string(text) != string(s.text) {
		s.text, s.stamp = text, newer(s.stamp)
		s.raced = now.Sub(before) < recent
	}
	// From now, for it may have taken long.
	s.told = time.Now()
	s.until = s.told.Add(n.valid)
	return n.valid, nil
}

// last is what the kernel was last told.
func (s *file) last() (text []byte, stamp uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text, s.stamp
}

// read is the text that the kernel knows the size of.
func (f *FS) read(i int) ([]byte, error) {
	s := &f.files[i]
	s.mu.Lock()
	text, known, raced := s.text, s.stamp != 0, s.raced
	s.raced = false
	s.mu.Unlock()
	if raced {
		f.conn.forgetAttributes(fileID(i))
	}
	if known {
		return text, nil
	}
	text, _, _, err := f.refresh(i)
	return text, err
}

// write is a write to a node that has a rule.
func (f *FS) write(i int, off int64, data []byte) (int, error) {
	n := &nodes[i]
	if !n.writable() {
		return 0, unix.EACCES
	}
	var accept func(string) error
	if n.kind == limit && f.Raise != nil {
		accept = func(text string) error {
			v, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
			if err == nil {
				err = f.Raise(n.sysctl(), v)
			}
			if err != nil {
				f.Logf("raise %s of the host to %s: %v", n.sysctl(), strings.TrimSpace(text), err)
				return unix.EIO
			}
			return nil
		}
	}
	return f.values(n).write(n, off, data, accept)
}

// attributes are those of a node's file.
func (f *FS) attributes(i int, size int, stamp uint64) fuse.Attr {
	a := f.attr(fileID(i), unix.S_IFREG|nodes[i].mode)
	a.Size = uint64(size)
	a.setTime(stamp)
	return a.Attr
}

type attr struct{ fuse.Attr }

// attr are attributes without size and time.
func (f *FS) attr(id uint64, mode uint32) attr {
	return attr{fuse.Attr{Ino: id, Mode: mode, Nlink: 1, Owner: fuse.Owner{Uid: f.UID, Gid: f.GID}, Blksize: pageSize}}
}

func (a *attr) setTime(stamp uint64) {
	a.Mtime, a.Mtimensec = stamp/1e9, uint32(stamp%1e9)
	a.Ctime, a.Ctimensec = a.Mtime, a.Mtimensec
	a.Atime, a.Atimensec = a.Mtime, a.Mtimensec
}
