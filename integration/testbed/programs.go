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

// ProgramsName is the image of Debian with programs that look at their machine.
const ProgramsName = "eci.test/programs:latest"

// programsPath is where `make programs` puts that image's root file system, below the
// directory of the built programs.
const programsPath = "images/programs.tar"

// ErrNoPrograms is returned where `make programs` has not been run.
var ErrNoPrograms = errors.New("the image of programs is not built: run `make programs`")

// ImportPrograms brings the image of programs into the bed, with the probe in it. It is
// large: one bed is enough. The error is ErrNoPrograms if it is not built.
func (d *Daemon) ImportPrograms(ctx context.Context) error {
	return d.importDebian(ctx, ProgramsName, programsPath, ErrNoPrograms)
}

// importDebian makes an image of the root file system in an archive, and of the probe. The
// error is missing if there is no archive.
func (d *Daemon) importDebian(ctx context.Context, name, archive string, missing error) error {
	path := filepath.Join(d.Programs.Dir, archive)
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%w: %w", missing, err)
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
