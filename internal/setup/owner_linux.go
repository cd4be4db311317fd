package setup

import (
	"io/fs"
	"os"
	"syscall"
)

// ownerOf gives user, group and permissions of a file, if it is there.
func ownerOf(path string) (owner [2]int, perm fs.FileMode, ok bool) {
	info, err := os.Stat(path)
	if err != nil {
		return owner, 0, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return owner, 0, false
	}
	return [2]int{int(st.Uid), int(st.Gid)}, info.Mode().Perm(), true
}
