package seccomp

import (
	"golang.org/x/sys/unix"
)

// put writes into the memory of the caller, and of nobody else: it opens that, and looks
// whether the caller is still there, before it writes. What takes the number of a process
// (process_vm_writev(2)) could write to another one, of the host, that has got the number of
// one which was killed a moment ago. EFAULT: nothing can be written there, or not all of it.
//
// Where a program may only read its own private memory, this writes all the same
// (proc_pid_mem(5)), and does not fail.
func (t *target) put(address uint64, data []byte) error {
	memory, err := t.open("mem", unix.O_WRONLY)
	if err != nil {
		return unix.EFAULT
	}
	defer memory.Close()
	if !t.alive() || int64(address) < 0 {
		return unix.EFAULT
	}
	if _, err := memory.WriteAt(data, int64(address)); err != nil {
		return unix.EFAULT
	}
	return nil
}
