package main

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// imageFile lies in the image: a lower layer of the root file system.
const imageFile = "/etc/passwd"

func getpid() (repeat, error) {
	return func(n int) error {
		for range n {
			_, _, _ = syscall.RawSyscall(syscall.SYS_GETPID, 0, 0, 0)
		}
		return nil
	}, nil
}

// clock reads the clock without a system call, through the vDSO; vdso(7).
func clock() (repeat, error) {
	return func(n int) error {
		for range n {
			runtime.KeepAlive(time.Now()) // nobody else looks at it
		}
		return nil
	}, nil
}

func openClose() (repeat, error) {
	return func(n int) error {
		for range n {
			fd, err := unix.Open(imageFile, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			_ = unix.Close(fd)
		}
		return nil
	}, nil
}

func openat2() (repeat, error) {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS}
	return func(n int) error {
		for range n {
			fd, err := unix.Openat2(unix.AT_FDCWD, imageFile, &how)
			if err != nil {
				return err
			}
			_ = unix.Close(fd)
		}
		return nil
	}, nil
}

func stat() (repeat, error) {
	var st unix.Stat_t
	return func(n int) error {
		for range n {
			if err := unix.Stat(imageFile, &st); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func createUnlink(dir string) func() (repeat, error) {
	return func() (repeat, error) {
		path := filepath.Join(dir, "fleeting")
		return func(n int) error {
			for range n {
				fd, err := unix.Open(path, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
				if err != nil {
					return err
				}
				_ = unix.Close(fd)
				if err := unix.Unlink(path); err != nil {
					return err
				}
			}
			return nil
		}, os.MkdirAll(dir, 0o755)
	}
}

func chown() (repeat, error) {
	path := filepath.Join(rootDir, "owned")
	if err := os.MkdirAll(rootDir, 0o755); err != nil {
		return nil, err
	}
	return func(n int) error {
		for i := range n {
			if err := unix.Chown(path, 1000+i&1, 1000); err != nil {
				return err
			}
		}
		return nil
	}, os.WriteFile(path, nil, 0o600)
}

func forkExec() (repeat, error) {
	args := []string{"busybox", "true"}
	attr := &syscall.ProcAttr{Env: []string{}}
	return func(n int) error {
		for range n {
			pid, err := syscall.ForkExec("/bin/busybox", args, attr)
			if err != nil {
				return err
			}
			if _, err := unix.Wait4(pid, nil, 0, nil); err != nil {
				return err
			}
		}
		return nil
	}, nil
}
