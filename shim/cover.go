package shim

import (
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/pseudofs"
)

// pseudoKinds are the file systems over which files are mounted, by their type in a spec
// and their magic number, statfs(2).
var pseudoKinds = map[string]struct {
	kind  pseudofs.Kind
	magic int64
}{
	"proc":  {pseudofs.Proc, unix.PROC_SUPER_MAGIC},
	"sysfs": {pseudofs.Sys, unix.SYSFS_MAGIC},
}

// cover mounts the pseudo-files over those of the kernel, in a container that runc has
// created and nobody has started yet. A container that was killed meanwhile needs none.
func (c *container) cover(pid uint32) error {
	if c.emulation == nil {
		return nil
	}
	files, err := c.emulation.files()
	if err != nil {
		return fmt.Errorf("pseudo-files: %w", err)
	}
	first, err := openProcess(pid, c.ids)
	if err == nil {
		defer first.Close()
		err = c.coverProcess(first, files, int(pid))
	}
	if err != nil && first.ended() {
		return nil // which is the client's to find out
	}
	if err != nil {
		return fmt.Errorf("pseudo-files: %w", err)
	}
	return nil
}

func (c *container) coverProcess(first procDir, files *pseudofs.FS, pid int) error {
	boot, err := first.boottime()
	if err != nil {
		return err
	}
	c.emulation.source.SetBoottime(boot)
	c.emulation.source.SetContainer(c.cgroups, pid)
	network, err := first.namespace("net")
	if err != nil {
		return err
	}
	c.emulation.net.made(network)
	root, err := first.open("root", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer root.Close()
	mnt, err := first.open("ns/mnt", unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer mnt.Close()
	return linux.OnThread(func() error {
		if err := linux.VisitMountNS(mnt); err != nil {
			return err
		}
		for _, m := range c.pseudoMounts {
			if err := coverMount(root, m, files); err != nil {
				return fmt.Errorf("%s at %s: %w", m.Type, m.Destination, err)
			}
		}
		return nil
	})
}

// coverMount covers one instance of proc or sysfs. Where something else is mounted, which
// the client has put there, there is nothing of the kernel's to cover.
func coverMount(root *os.File, m specs.Mount, files *pseudofs.FS) error {
	at, err := linux.OpenInRoot(root, m.Destination, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer at.Close()
	of := pseudoKinds[m.Type]
	if magic, err := linux.FSMagic(at); err != nil || magic != of.magic {
		return err
	}
	return files.Cover(at, of.kind)
}

// pseudoMounts are the mounts of a spec that have to be covered.
func pseudoMounts(mounts []specs.Mount) []specs.Mount {
	var out []specs.Mount
	for _, m := range mounts {
		if _, ok := pseudoKinds[m.Type]; ok {
			out = append(out, specs.Mount{Type: m.Type, Destination: m.Destination})
		}
	}
	return out
}
