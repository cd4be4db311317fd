package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ownPrefix begins the names of what a benchmark makes outside its bed; the
// process ID follows, so that the next one can tell what a killed one has left.
const ownPrefix = "eci-bench-"

func ownName() string { return fmt.Sprintf("%s%d-", ownPrefix, os.Getpid()) }

// sweep calls remove for what benchmarks have left in a directory whose processes
// are gone. It is best effort: nobody stumbles over what remains.
func sweep(dir string, remove func(path string) error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if pid := ownerOf(e.Name()); pid > 0 {
			if _, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid))); os.IsNotExist(err) {
				_ = remove(filepath.Join(dir, e.Name()))
			}
		}
	}
}

// ownerOf is the process ID in a name that ownName begins, 0 in any other.
func ownerOf(name string) int {
	rest, ok := strings.CutPrefix(name, ownPrefix)
	digits, _, sep := strings.Cut(rest, "-")
	if !ok || !sep {
		return 0
	}
	pid, err := strconv.Atoi(digits)
	if err != nil || pid < 1 {
		return 0
	}
	return pid
}
