package linux

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// TestOnOwnTable: the thread has what it is given, nothing else that the process has, and alone
// once the process has closed it.
func TestOnOwnTable(t *testing.T) {
	linuxtest.NoLeak(t)
	var fds [2]int
	must(t, unix.Pipe2(fds[:], unix.O_CLOEXEC))
	r, w := os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
	defer r.Close()
	end, err := NewEvent()
	must(t, err)
	defer end.Close()
	reader := int(r.Fd())
	hasReader, done := make(chan bool, 1), make(chan struct{})
	must(t, OnOwnTable(func(fds []int) {
		defer close(done)
		_, err := unix.FcntlInt(uintptr(reader), unix.F_GETFD, 0)
		hasReader <- err == nil
		_, _ = unix.Read(fds[1], make([]byte, 8))
		_, _ = unix.Write(fds[0], []byte("x"))
		unix.Close(fds[0])
	}, w, end))
	if <-hasReader {
		t.Error("the thread has a file that it was not given")
	}
	must(t, w.Close())
	if ready, err := Ready(r); err != nil || ready {
		t.Error("the pipe has ended though the thread has it:", ready, err)
	}
	Signal(end)
	<-done
	buf := make([]byte, 2)
	if n, err := r.Read(buf); n != 1 || err != nil {
		t.Error(n, err)
	}
	if n, err := r.Read(buf); n != 0 {
		t.Error("the pipe has not ended:", n, err)
	}
}
