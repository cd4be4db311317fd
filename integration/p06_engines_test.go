package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// TestP06_RootfsOfAllLayers: an image is made of single layers. What holds them all, and
// the snapshotter's database, is nobody's root file system.
func TestP06_RootfsOfAllLayers(t *testing.T) {
	d := bed(t)
	for _, snapshotter := range []string{"overlayfs", "native"} {
		run(t, d, testbed.Container{Snapshotter: snapshotter}) // and the image is unpacked
		root := filepath.Join(d.Dir, "root/io.containerd.snapshotter.v1."+snapshotter)
		places := []string{root, root + "/snapshots"}
		if snapshotter == "overlayfs" {
			places = append(places, root+"/snapshots/1") // holds fs and work
		}
		for _, place := range append(places, filepath.Join(d.Dir, "root/io.containerd.metadata.v1.bolt")) {
			if _, err := os.Stat(place); err != nil {
				t.Fatal(err)
			}
			refusedCreate(t, d, testbed.Container{Rootfs: place},
				"the root file system is made of "+place+", and it's configured as a restricted host mount", "(rule rootfs, field root.path)")
		}
	}
	checkClean(t, d)
}

// TestP06_LateMountsOfEngines: an engine mounts into a named volume what a client names,
// after a container that follows the host's mounts has got the directory.
func TestP06_LateMountsOfEngines(t *testing.T) {
	d := bed(t)
	v := newVault(t, d)
	volumes := t.TempDir()
	mount(t, volumes, volumes, "", bindFlag)
	command(t, "mount", "--make-shared", volumes)
	named, free := dir(t, filepath.Join(volumes, "named/_data")), dir(t, filepath.Join(volumes, "free"))
	restrict(t, d, fmt.Sprintf("restricted = [%q, %q]\nexcept = [%q]\n", v.dir, volumes+"/named", volumes+"/*/_data"))
	// The last one is bound by runc, because it lies on a mount of runc's.
	behind := specs.Mount{Type: "tmpfs", Source: "tmpfs", Destination: "/behind", Options: []string{"tmpcopyup"}}
	task := start(t, d, testbed.Container{Mounts: []specs.Mount{
		testbed.Bind(named, "/named", "rslave"), testbed.Bind(named, "/shared", "rshared"), testbed.Bind(free, "/free", "rslave"),
		behind, testbed.Bind(named, "/behind/named", "rslave"),
	}})
	for _, at := range []string{named, free} {
		mount(t, v.dir, at, "", bindFlag)
	}
	for _, at := range []string{"/named", "/shared", "/behind/named"} {
		if out := exec(t, task, "ls", at); out != "" {
			t.Errorf("%s shows what was mounted later: %s", at, out)
		}
	}
	wantText(t, "a volume of nobody's engine", exec(t, task, "cat", "/free/file"), secretText)
}

// TestP06_LinksOfContainers: a container's root is root on a volume, too. A link that it
// can make permits nothing, and one that a rule leads through is not its to change.
func TestP06_LinksOfContainers(t *testing.T) {
	d := bed(t)
	v := newVault(t, d)
	app := dir(t, v.root+"/app")
	dir(t, app+"/releases/1/www")
	must(t, os.Symlink("releases/1", app+"/current"))
	t.Run("that permit", func(t *testing.T) {
		restrict(t, d, fmt.Sprintf("only = [%q, %q]\n", app, app+"/current/www"))
		run(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(app+"/current/www", "/mnt")}})
		run(t, d, testbed.Container{
			Args:   []string{"sh", "-ec", "rm /app/current; mkdir /app/evil; ln -s evil /app/current; ln -s " + v.public + " /app/evil/www"},
			Mounts: []specs.Mount{testbed.Bind(app, "/app")},
		})
		v.refuses(t, d, v.public, "it's not configured as an allowed host mount")
	})
	t.Run("that forbid", func(t *testing.T) {
		must(t, os.Symlink(v.public, app+"/keys"))
		restrict(t, d, fmt.Sprintf("restricted = [%q]\n", app+"/keys"))
		v.refuses(t, d, v.public, v.message)
		const why = "because it holds a symbolic link that leads to "
		refusedCreate(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(app, "/app")}}, why+app+"/keys", "mount it read-only (rule restricted-mount")
		refusedCreate(t, d, testbed.Container{Rootfs: app}, "it holds a symbolic link that leads to "+app+"/keys", "(rule rootfs")
		run(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(app, "/app", "ro")}})
	})
	checkClean(t, d)
}

// TestP06_FilesWithManyNames are looked for once, however often they are mounted.
func TestP06_FilesWithManyNames(t *testing.T) {
	d := bed(t)
	v := newVault(t, d)
	zone := filepath.Join(v.public, "file")
	must(t, os.Link(zone, filepath.Join(v.public, "localtime")))
	var mounts []specs.Mount
	for i := range 200 {
		mounts = append(mounts, testbed.Bind(zone, fmt.Sprintf("/mnt/%d", i), "ro"))
	}
	wantText(t, "the last of them", run(t, d, testbed.Container{Args: []string{"cat", "/mnt/199"}, Mounts: mounts}), "file")
	must(t, os.Link(v.file, filepath.Join(v.public, "hard")))
	mounts[100] = testbed.Bind(filepath.Join(v.public, "hard"), "/mnt/100", "ro")
	refusedCreate(t, d, testbed.Container{Mounts: mounts}, "it is another name of "+v.dir, "field mounts[")
	checkClean(t, d)
}
