// Command ocitar prints an image of static programs and nothing else, as an archive of the
// OCI image layout, for the installer of deploy/kubernetes. Two runs print the same.
package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// file is an entry of an archive.
type file struct {
	name string
	mode int64
	data []byte
}

// image collects the files of a layout.
type image struct {
	created time.Time
	files   []file
}

func main() {
	name := flag.String("name", "", "name of the image")
	arch := flag.String("arch", "", "architecture, as Go calls it")
	seconds := flag.Int64("time", 0, "seconds since 1970")
	flag.Parse()
	i := image{created: time.Unix(*seconds, 0).UTC()}
	if err := i.write(os.Stdout, *name, *arch, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "ocitar:", err)
		os.Exit(1)
	}
}

func (i *image) write(w io.Writer, name, arch string, programs []string) error {
	slices.Sort(programs)
	var files []file
	for _, path := range programs {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files = append(files, file{filepath.Base(path), 0o755, data})
	}
	var layer bytes.Buffer
	if err := i.archive(&layer, files); err != nil {
		return err
	}
	list := i.blob("layer.v1.tar", layer.Bytes())
	config, err := json.Marshal(map[string]any{
		"created": i.created.Format(time.RFC3339), "architecture": arch, "os": "linux",
		"config": map[string]any{"Entrypoint": []string{"/eci"}, "Env": []string{"PATH=/"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{list.Digest}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": i.blob("config.v1+json", config), "layers": []descriptor{list},
	})
	if err != nil {
		return err
	}
	top := i.blob("manifest.v1+json", manifest)
	top.Annotations = map[string]string{"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": []descriptor{top}})
	if err != nil {
		return err
	}
	i.files = append(i.files, file{"index.json", 0o644, index}, file{"oci-layout", 0o644, []byte(`{"imageLayoutVersion":"1.0.0"}`)})
	return i.archive(w, i.files)
}

func (i *image) blob(kind string, data []byte) descriptor {
	sum := sha256.Sum256(data)
	hash := hex.EncodeToString(sum[:])
	i.files = append(i.files, file{"blobs/sha256/" + hash, 0o644, data})
	return descriptor{MediaType: "application/vnd.oci.image." + kind, Digest: "sha256:" + hash, Size: len(data)}
}

func (i *image) archive(w io.Writer, files []file) error {
	t := tar.NewWriter(w)
	for _, f := range files {
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: f.mode, Size: int64(len(f.data)), ModTime: i.created}); err != nil {
			return err
		}
		if _, err := t.Write(f.data); err != nil {
			return err
		}
	}
	return t.Close()
}
