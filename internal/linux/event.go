package linux

import (
	"os"

	"golang.org/x/sys/unix"
)

// NewEvent is a file that can be read, 8 bytes, after [Signal] was called, and waited for with
// poll(2). eventfd(2).
func NewEvent() (*os.File, error) {
	return openAt("eventfd", nil, "eventfd", func(int) (int, error) {
		return unix.Eventfd(0, unix.EFD_CLOEXEC)
	})
}

// Signal makes an event readable. It cannot fail but for a file that is closed.
func Signal(event *os.File) { _, _ = event.Write([]byte{7: 1}) } // a number of 8 bytes, not zero
