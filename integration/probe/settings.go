package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// setting is what became of one write to a setting of the kernel.
type setting struct {
	Path   string `json:"path"`
	Value  string `json:"value"`
	Before string `json:"before"`
	Errno  string `json:"errno,omitempty"` // of open or write
	After  string `json:"after"`
}

// settings writes each of path=value in turn. A path with a "?" behind it is only read. The
// values are read without their last newline.
func settings(args []string) (any, error) {
	report := []setting{}
	for _, arg := range args {
		path, value, ok := strings.Cut(arg, "=")
		if !ok && !strings.HasSuffix(path, "?") {
			return nil, errors.New("settings needs path=value or path?")
		}
		s := setting{Path: strings.TrimSuffix(path, "?"), Value: value}
		s.Before = readSetting(s.Path)
		if ok {
			s.Errno = errno(writeExisting(s.Path, value))
		}
		s.After = readSetting(s.Path)
		report = append(report, s)
	}
	return report, nil
}

// readSetting is the content of a file, or the error in brackets.
func readSetting(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return "(" + errno(err) + ")"
	}
	return strings.TrimSuffix(string(data), "\n")
}

// writable lists the files below a directory that this process can open for writing.
// Nothing is written.
func writable(args []string) (any, error) {
	if len(args) != 1 {
		return nil, errors.New("writable needs a directory")
	}
	found := []string{}
	err := filepath.WalkDir(args[0], func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil // what may not be read is not writable either, or is found by name
		}
		if fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0); err == nil {
			found = append(found, path)
			_ = unix.Close(fd)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("walk %s: %w", args[0], err)
	}
	return found, nil
}
