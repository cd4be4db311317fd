package seccomp

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// childMknodRace makes nodes through a link that another thread moves between a directory of
// the container's and the volume, and in a directory that it exchanges with one.
func childMknodRace(args []string) error {
	root := args[0]
	for _, l := range [][2]string{{"dir", "a"}, {"vol", "b"}} {
		if err := os.Symlink(l[0], root+"/"+l[1]); err != nil {
			return err
		}
	}
	if err := filtered("mknod", "mknodat"); err != nil {
		return err
	}
	stop := make(chan bool)
	defer close(stop)
	for range 2 {
		go func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = unix.Renameat2(unix.AT_FDCWD, root+"/a", unix.AT_FDCWD, root+"/b", unix.RENAME_EXCHANGE)
				}
			}
		}()
	}
	results := map[string]int{}
	for i, end := 0, time.Now().Add(time.Second); time.Now().Before(end); i++ {
		err := unix.Mknod(root+"/a/race"+strconv.Itoa(i), chr|0o600, int(unix.Mkdev(1, 3)))
		switch {
		case err == nil:
			results["made"]++
		case errors.Is(err, unix.EPERM):
			results["refused"]++
		default:
			return err
		}
	}
	if results["made"] == 0 || results["refused"] == 0 {
		return fmt.Errorf("no race: %v", results)
	}
	fmt.Println(results)
	return nil
}
