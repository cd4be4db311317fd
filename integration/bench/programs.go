package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/eci-runtime/eci/integration/testbed"
)

// copyPrograms copies what a bed runs into a new directory. Processes share the
// pages of a program's file with everybody who runs that file, on this machine at
// this time; a copy has none but ours, and so the memory of a shim is its own.
func copyPrograms() (dir string, err error) {
	found, err := testbed.FindPrograms("")
	if err != nil {
		return "", err
	}
	sweep(os.TempDir(), os.RemoveAll)
	if dir, err = os.MkdirTemp("", ownName()); err != nil {
		return "", err
	}
	for _, pattern := range []string{"containerd", "ctr", "runc", "containerd-shim-*-v2"} {
		// What is not there is looked for on PATH, as ever, or missed later.
		paths, _ := filepath.Glob(filepath.Join(found.Dir, pattern))
		for _, path := range paths {
			if err := copyProgram(path, filepath.Join(dir, filepath.Base(path))); err != nil {
				return "", errors.Join(fmt.Errorf("copy %s: %w", path, err), os.RemoveAll(dir))
			}
		}
	}
	// Of the rest, nothing is measured: images, which are read once, and CNI plug-ins, which
	// cost the same on both sides.
	for _, name := range []string{"images", "cni"} {
		if err := os.Symlink(filepath.Join(found.Dir, name), filepath.Join(dir, name)); err != nil {
			return "", errors.Join(err, os.RemoveAll(dir))
		}
	}
	return dir, nil
}

func copyProgram(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
