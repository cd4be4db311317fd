package seccomp

import (
	"errors"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// server answers the notifications of one listener. One goroutine waits for the next one, and
// does what it asks for itself: most of it takes some microseconds. Where it takes longer, because
// a mount is made, or because something of the container hangs, another one goes on waiting.
type server struct {
	agent    *Agent
	listener *linux.Listener

	mu      sync.Mutex
	all     int       // goroutines; at most parallel
	turn    int       // counts what whoever waits, or has waited last, does
	since   time.Time // when that was begun; zero: it waits
	watched bool      // watch runs
}

// patience is how long a goroutine may do something before another one waits in its place.
const patience = 2 * time.Millisecond

// serve answers until nobody has the filter any more, or somebody else waits.
func (s *server) serve() {
	for {
		n, err := s.listener.Receive()
		switch {
		case errors.Is(err, unix.ENOENT):
			continue // the caller was killed before anybody could look
		case err != nil:
			if !errors.Is(err, os.ErrClosed) {
				s.agent.c.logf("agent: receive: %v", err)
			}
			s.agent.forget(s.listener)
			return
		}
		turn := s.begin()
		s.agent.c.slots <- struct{}{}
		s.agent.c.inHand.take(n.PID)
		s.one(n)
		s.agent.c.inHand.leave(n.PID)
		<-s.agent.c.slots
		if !s.end(turn) {
			return
		}
	}
}

// begin tells that whoever has waited does something.
func (s *server) begin() (turn int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn++
	s.since = time.Now()
	if !s.watched {
		s.watched = true
		go s.watch()
	}
	return s.turn
}

// end tells that something is done, and whether to wait again. Whoever was relieved ends, unless
// the one that did it is held up by now.
func (s *server) end(turn int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if turn != s.turn {
		if !s.heldUp() {
			s.all--
			return false
		}
		s.turn++
	}
	s.since = time.Time{}
	return true
}

// heldUp tells whether whoever should wait does something that takes long.
func (s *server) heldUp() bool { return !s.since.IsZero() && time.Since(s.since) > patience }

// watch sees to it that somebody waits. It ends when nothing has been done for a while, or nothing
// can be.
func (s *server) watch() {
	const rest = 50
	tick := time.NewTicker(patience)
	defer tick.Stop()
	for quiet := 0; quiet >= 0; {
		<-tick.C
		quiet = s.look(quiet, rest)
	}
}

// look relieves whoever is held up. quiet counts how often nothing was done; it is negative when
// watch ends.
func (s *server) look(quiet, rest int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.since.IsZero() && quiet < rest:
		return quiet + 1
	case s.since.IsZero(), s.heldUp() && s.all == parallel:
		s.watched = false
		return -1
	case s.heldUp():
		s.turn++
		s.since = time.Time{}
		s.all++
		go s.serve()
	}
	return 0
}

// one answers a notification.
func (s *server) one(n linux.Notification) {
	answered := false
	defer func() {
		if p := recover(); p != nil {
			s.agent.c.logf("agent: panic: %v\n%s", p, debug.Stack())
			if !answered {
				_ = s.listener.Respond(linux.Response{ID: n.ID, Errno: -int32(unix.ENOSYS)})
			}
		}
	}()
	a := s.answer(n)
	answered = true
	err := s.respond(n.ID, a)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		// It could not be given the descriptor (EMFILE), and still waits.
		_ = s.listener.Respond(linux.Response{ID: n.ID, Errno: -int32(errnoOf(err))})
	}
	if a.still != nil && (err == nil || a.revoke == nil) && !s.agent.c.OnlyKilled {
		s.agent.c.recent.add(n, a.still)
	}
	a.done(s.agent.c, err == nil)
}

// answer asks the handler of the call.
func (s *server) answer(n linux.Notification) answer {
	name, abi, ok := callOf(n.Arch, uint32(n.NR))
	if !ok {
		return refuse(unix.ENOSYS)
	}
	if n.PID == 0 {
		return proceed() // in no pid namespace below the shim's, and so no process of the container
	}
	r := &request{c: s.agent.c, abi: abi, args: n.Args, t: &target{pid: int(n.PID), id: n.ID, l: s.listener}}
	if a, ok := s.agent.c.recent.repeated(n, r); ok {
		return a
	}
	for _, c := range calls {
		if c.name == name {
			return c.handle(r)
		}
	}
	return refuse(unix.ENOSYS)
}

func (s *server) respond(id uint64, a answer) error {
	r := linux.Response{ID: id}
	switch a.kind {
	case kindProceed:
		r.Flags = linux.Continue
	case kindValue:
		r.Value = a.value
	case kindFile:
		fd, err := s.listener.Give(id, a.file, a.cloexec)
		if err != nil {
			return err
		}
		r.Value = int64(fd)
	case kindRefuse:
		r.Errno = -int32(a.errno)
		if a.errno == 0 {
			r.Errno = -int32(unix.EPERM)
		}
	}
	return s.listener.Respond(r)
}
