package testbed

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// prefix begins the name of every bed's directory, namespace and cgroup.
const prefix = "eci-"

// lockName is the file in a bed's directory that its owner keeps locked.
const lockName = "owner.lock"

// tempDir is where beds are made: the directory for temporary files, unless its
// name is so long that sockets below it could not be named.
func tempDir() string {
	if dir := os.TempDir(); len(dir) <= 20 {
		return dir
	}
	return "/tmp"
}

// takeLock marks dir as owned by this process, for as long as the file is open.
func takeLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, &os.PathError{Op: "flock", Path: f.Name(), Err: err}
	}
	return f, nil
}

// sweepStale removes beds whose owners were killed. It is best effort: what
// cannot be removed stays, and disturbs nobody, since every bed has its own names.
func sweepStale() {
	locks, _ := filepath.Glob(filepath.Join(tempDir(), prefix+"*", lockName))
	for _, path := range locks {
		dir := filepath.Dir(path)
		lock, err := takeLock(dir)
		if err != nil {
			continue
		}
		name := filepath.Base(dir)
		stale := &Daemon{Dir: dir, Name: name, Namespace: name, Address: filepath.Join(dir, "c.sock"), lock: lock}
		_ = stale.scrub()
	}
}
