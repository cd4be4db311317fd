package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/eci-runtime/eci/policy"
)

// layer is a container's own layer in the layer database of dockerd's graph drivers,
// which containerd knows nothing of.
//
//	<root>/image/<driver>/layerdb/mounts/<container>/{mount-id,init-id,parent}
//	<root>/image/<driver>/layerdb/sha256/<chain>/{cache-id,parent}
type layer struct {
	root, driver, container string
	path                    string // of the root file system that the spec names
}

// place is where a graph driver has the root file system of a mount ID, relative to
// the root; "" for a driver whose mounts cannot be compared with the database.
func place(driver, mount string) string {
	switch driver {
	case "overlay2":
		return filepath.Join(driver, mount, "merged")
	case "vfs":
		return filepath.Join(driver, "dir", mount)
	}
	return ""
}

// dockerLayer tells whether the root file system lies where a graph driver mounts.
func dockerLayer(q Query) (layer, bool) {
	if len(q.Rootfs) > 0 {
		return layer{}, false
	}
	for _, root := range q.DockerRoots {
		if real, err := filepath.EvalSymlinks(root); err == nil {
			root = real // as dockerd does
		}
		rest, below := strings.CutPrefix(q.Root, root+"/")
		driver, _, _ := strings.Cut(rest, "/")
		if below && place(driver, "") != "" {
			return layer{root: root, driver: driver, container: q.Container, path: q.Root}, true
		}
	}
	return layer{}, false
}

// chain gives the chain IDs under the container's own layer, and proves that the
// root file system is that.
func (l layer) chain() ([]string, error) {
	if !isName(l.container) {
		return nil, fmt.Errorf("%q is no ID of docker's", l.container)
	}
	id, err := l.read(isName, "mounts", l.container, "mount-id")
	if err != nil {
		return nil, err
	}
	at := filepath.Join(l.root, place(l.driver, id))
	if real, err := filepath.EvalSymlinks(at); err != nil || real != at || l.path != at {
		return nil, errOther
	}
	top, err := l.read(isChainID, "mounts", l.container, "parent")
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var chain []string
	for next := top; err == nil; next, err = l.read(isChainID, "sha256", strings.TrimPrefix(next, "sha256:"), "parent") {
		if len(chain) == maxLayers {
			return nil, fmt.Errorf("its layer has more than %d below", maxLayers)
		}
		chain = append(chain, next)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if l.driver == "vfs" {
		return chain, nil // a directory for each container: to be there is the proof
	}
	return chain, l.isOverlay(chain)
}

// isOverlay proves that the overlay is mounted of the layers in the database.
func (l layer) isOverlay(chain []string) error {
	mount, err := l.read(isName, "mounts", l.container, "mount-id")
	if err != nil {
		return err
	}
	init, err := l.read(isName, "mounts", l.container, "init-id")
	if err != nil {
		return err
	}
	ids := []string{init}
	for _, c := range chain {
		id, err := l.read(isName, "sha256", strings.TrimPrefix(c, "sha256:"), "cache-id")
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	got, err := overlayAt(l.path)
	if err != nil {
		return err
	}
	if len(got.lowers) != len(ids) || !l.isDiff(got.upper, mount) {
		return errOther
	}
	for i, id := range ids {
		if !l.isDiff(got.lowers[i], id) {
			return errOther
		}
	}
	return nil
}

// isDiff tells whether a directory of the overlay is that of a layer. The driver
// names it by a link (l/…), and relative to its own directory where there are many.
func (l layer) isDiff(dir, id string) bool {
	driver := filepath.Join(l.root, l.driver)
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(driver, dir)
	}
	real, err := filepath.EvalSymlinks(dir)
	return err == nil && real == filepath.Join(driver, id, "diff")
}

// imageName is the name that the client gave, for messages.
func (l layer) imageName() string {
	data, err := readSmall(filepath.Join(l.root, "containers", filepath.Base(l.container), "config.v2.json"))
	if err != nil {
		return ""
	}
	var record struct {
		Config struct{ Image string }
	}
	_ = json.Unmarshal(data, &record)
	return record.Config.Image
}

// isName tells whether a text can be a name in a directory, and only that.
func isName(s string) bool {
	return s != "" && s[0] != '.' && len(s) < 256 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == ""
}

func isChainID(s string) bool {
	hash, ok := strings.CutPrefix(s, "sha256:")
	return ok && len(hash) == 64 && strings.Trim(hash, "0123456789abcdef") == ""
}

// read reads a file of the database, which has to look like what it is for.
func (l layer) read(valid func(string) bool, path ...string) (string, error) {
	path = append([]string{l.root, "image", l.driver, "layerdb"}, path...)
	data, err := readSmall(filepath.Join(path...))
	if err != nil {
		return "", fmt.Errorf("read docker's layer database: %w", err)
	}
	text := strings.TrimSpace(string(data))
	if !valid(text) {
		return "", fmt.Errorf("read docker's layer database: %s holds %q", filepath.Join(path...), text)
	}
	return text, nil
}

// readSmall reads a file, up to what no such file has.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 1<<20))
}

// DockerRoots are the data directories of dockerd: where the policy lets the root file
// systems of its graph drivers be.
func DockerRoots(cfg policy.Config) []string {
	var roots []string
	for _, r := range cfg.Mounts.Rules {
		for _, driver := range []string{"overlay2", "vfs"} {
			root, ok := strings.CutSuffix(r.Path, "/"+place(driver, "*"))
			if ok && r.Access == policy.Layers && !slices.Contains(roots, root) {
				roots = append(roots, root)
			}
		}
	}
	return roots
}
