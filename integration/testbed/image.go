package testbed

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/containerd/containerd/v2/client"
	layers "github.com/containerd/containerd/v2/pkg/archive"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Image is an OCI image in memory.
type Image struct {
	Name   string   // as containerd's clients write it
	Base   string   // a file with a layer below the others, too large for memory; "" is none
	Layers [][]byte // tar archives, lowest first
	Config ocispec.ImageConfig
}

// File is one entry of a layer.
type File struct {
	Path     string // without a slash in front
	Mode     int64  // permission bits, set-uid and sticky included
	UID, GID int
	Data     []byte
	Link     string // target, for a symbolic link
	Dir      bool
	// Xattrs are extended attributes by name.
	Xattrs map[string]string
}

// Layer packs files into a layer.
func Layer(files ...File) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		h := &tar.Header{Name: f.Path, Mode: f.Mode, Uid: f.UID, Gid: f.GID, Format: tar.FormatPAX, ModTime: time.Unix(0, 0)}
		switch {
		case f.Dir:
			h.Typeflag, h.Name = tar.TypeDir, f.Path+"/"
		case f.Link != "":
			h.Typeflag, h.Linkname = tar.TypeSymlink, f.Link
		default:
			h.Typeflag, h.Size = tar.TypeReg, int64(len(f.Data))
		}
		for name, value := range f.Xattrs {
			if h.PAXRecords == nil {
				h.PAXRecords = map[string]string{}
			}
			h.PAXRecords["SCHILY.xattr."+name] = value
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("layer: %s: %w", f.Path, err)
		}
		if _, err := w.Write(f.Data); err != nil {
			return nil, fmt.Errorf("layer: %s: %w", f.Path, err)
		}
	}
	err := w.Close()
	return buf.Bytes(), err
}

// Archive writes the image as an OCI layout in a tar archive.
func (i Image) Archive(w io.Writer) error {
	a := archive{w: tar.NewWriter(w), seen: map[digest.Digest]bool{}}
	config := ocispec.Image{
		Platform: ocispec.Platform{OS: "linux", Architecture: runtime.GOARCH},
		Config:   i.Config,
		RootFS:   ocispec.RootFS{Type: "layers"},
	}
	manifest := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest}
	add := func(desc ocispec.Descriptor) {
		manifest.Layers = append(manifest.Layers, desc)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, desc.Digest)
	}
	if i.Base != "" {
		add(a.fileBlob(ocispec.MediaTypeImageLayer, i.Base))
	}
	for _, layer := range i.Layers {
		add(a.blob(ocispec.MediaTypeImageLayer, layer))
	}
	manifest.Config = a.json(ocispec.MediaTypeImageConfig, config)
	entry := a.json(ocispec.MediaTypeImageManifest, manifest)
	entry.Annotations = map[string]string{"io.containerd.image.name": i.Name}
	entry.Platform = &config.Platform
	a.file(ocispec.ImageIndexFile, ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex,
		Manifests: []ocispec.Descriptor{entry},
	})
	a.file(ocispec.ImageLayoutFile, ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
	if a.err != nil {
		return fmt.Errorf("pack image %s: %w", i.Name, a.err)
	}
	return a.w.Close()
}

// archive writes an OCI layout and keeps its first error.
type archive struct {
	w    *tar.Writer
	seen map[digest.Digest]bool
	err  error
}

func (a *archive) write(name string, data []byte) {
	if a.err == nil {
		a.err = a.w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), Typeflag: tar.TypeReg})
	}
	if a.err == nil {
		_, a.err = a.w.Write(data)
	}
}

func (a *archive) blob(mediaType string, data []byte) ocispec.Descriptor {
	desc := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	if !a.seen[desc.Digest] {
		a.seen[desc.Digest] = true
		a.write(blobName(desc.Digest), data)
	}
	return desc
}

func blobName(d digest.Digest) string { return "blobs/sha256/" + d.Encoded() }

func (a *archive) json(mediaType string, v any) ocispec.Descriptor {
	return a.blob(mediaType, a.marshal(v))
}

func (a *archive) file(name string, v any) { a.write(name, a.marshal(v)) }

func (a *archive) marshal(v any) []byte {
	data, err := json.Marshal(v)
	if a.err == nil {
		a.err = err
	}
	return data
}

// Extract lays the image out in a directory, as a root file system that needs no
// snapshotter. Xattrs and owners are kept.
func (i Image) Extract(ctx context.Context, dir string) error {
	for _, layer := range i.Layers {
		if _, err := layers.Apply(ctx, dir, bytes.NewReader(layer)); err != nil {
			return fmt.Errorf("extract %s to %s: %w", i.Name, dir, err)
		}
	}
	return nil
}

// Import brings an image into the bed.
func (d *Daemon) Import(ctx context.Context, image Image) error {
	return d.importInto(d.Context(ctx), image)
}

// importInto is Import into the containerd namespace of ctx.
func (d *Daemon) importInto(ctx context.Context, image Image) error {
	r, w := io.Pipe()
	go func() { _ = w.CloseWithError(image.Archive(w)) }()
	_, err := d.client.Import(ctx, r, client.WithAllPlatforms(true))
	_ = r.Close()
	if err != nil {
		return fmt.Errorf("import %s: %w", image.Name, err)
	}
	return nil
}

// unpack makes the image's layers into snapshots, once.
func unpack(ctx context.Context, image client.Image, snapshotter string) error {
	done, err := image.IsUnpacked(ctx, snapshotter)
	if err != nil || done {
		return err
	}
	return image.Unpack(ctx, snapshotter)
}
