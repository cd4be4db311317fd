package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"runtime"
)

// rootTar is a root file system with one program, /eci, which has to be static.
func rootTar(program string) ([]byte, error) {
	data, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	return tarOf(tarFile{name: "eci", mode: 0o755, data: data})
}

type tarFile struct {
	name string
	mode int64
	data []byte
}

func tarOf(files ...tarFile) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: f.mode, Size: int64(len(f.data))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// imageTar is an image of one layer in the form of the OCI image layout, under a name.
func imageTar(name string, layer []byte) ([]byte, error) {
	files := []tarFile{{"oci-layout", 0o644, []byte(`{"imageLayoutVersion":"1.0.0"}`)}}
	type descriptor struct {
		MediaType   string            `json:"mediaType"`
		Digest      string            `json:"digest"`
		Size        int               `json:"size"`
		Annotations map[string]string `json:"annotations,omitempty"`
	}
	blob := func(mediaType string, data []byte) descriptor {
		sum := sha256.Sum256(data)
		hash := hex.EncodeToString(sum[:])
		files = append(files, tarFile{"blobs/sha256/" + hash, 0o644, data})
		return descriptor{MediaType: "application/vnd.oci.image." + mediaType, Digest: "sha256:" + hash, Size: len(data)}
	}
	list := blob("layer.v1.tar", layer)
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": []string{"/eci", "idle"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{list.Digest}},
	})
	if err != nil {
		return nil, err
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": blob("config.v1+json", config), "layers": []descriptor{list},
	})
	if err != nil {
		return nil, err
	}
	top := blob("manifest.v1+json", manifest)
	top.Annotations = map[string]string{"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": []descriptor{top}})
	if err != nil {
		return nil, err
	}
	return tarOf(append(files, tarFile{"index.json", 0o644, index})...)
}
