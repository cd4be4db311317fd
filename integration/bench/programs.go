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
	names := []string{"containerd", "ctr", "runc", "containerd-shim-runc-v2", "containerd-shim-eci-v2"}
	for _, name := range names {
		err := copyProgram(filepath.Join(found.Dir, name), filepath.Join(dir, name))
		// What is not built is looked for on PATH, as ever, or missed later.
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", errors.Join(fmt.Errorf("copy %s: %w", name, err), os.RemoveAll(dir))
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
