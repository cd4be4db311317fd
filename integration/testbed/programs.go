package testbed

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Names of the images of Debian: one with programs that look at their machine, one with what
// people run in system containers, and a whole system with systemd and engines.
const (
	ProgramsName  = "eci.test/programs:latest"
	WorkloadsName = "eci.test/workloads:latest"
	SystemsName   = "eci.test/systems:latest"
)

// debian is where the root file system of an image is, below the directory of the built
// programs, and what makes it.
var debian = map[string]struct{ path, target string }{
	ProgramsName:  {"images/programs.tar", "programs"},
	WorkloadsName: {"images/workloads.tar", "workloads"},
	SystemsName:   {"images/systems.tar", "systems"},
}

// ErrNoImage is returned where an image of Debian has not been made.
var ErrNoImage = errors.New("the image is not built")

// ImportDebian brings an image of Debian into the bed, with the probe in it. It is
// large: one bed is enough. The error is ErrNoImage if it is not built.
func (d *Daemon) ImportDebian(ctx context.Context, name string) error {
	path := filepath.Join(d.Programs.Dir, debian[name].path)
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%w: run `make %s`: %w", ErrNoImage, debian[name].target, err)
	}
	probe, err := BuildProbe(ctx)
	if err != nil {
		return err
	}
	layer, err := Layer(File{Path: "probe", Mode: 0o755, Data: probe})
	if err != nil {
		return err
	}
	return d.Import(ctx, Image{
		Name: name, Base: path, Layers: [][]byte{layer},
		Config: ocispec.ImageConfig{Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, Cmd: []string{"sh"}, WorkingDir: "/"},
	})
}

// fileBlob is blob for what is too large for memory.
func (a *archive) fileBlob(mediaType, path string) ocispec.Descriptor {
	f, err := os.Open(path)
	if err != nil {
		a.fail(err)
		return ocispec.Descriptor{}
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	desc := ocispec.Descriptor{MediaType: mediaType, Digest: digest.NewDigest(digest.SHA256, sum), Size: size}
	if err == nil {
		err = a.w.WriteHeader(&tar.Header{Name: blobName(desc.Digest), Mode: 0o644, Size: size, Typeflag: tar.TypeReg})
	}
	if err == nil {
		_, err = io.Copy(a.w, f)
	}
	a.fail(err)
	return desc
}

// fail keeps the first error.
func (a *archive) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}
