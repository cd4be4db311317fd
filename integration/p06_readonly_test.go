package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// wantReadOnly is how the sentence ends with which a writable volume is refused.
const wantReadOnly = "; mount it read-only (rule restricted-mount, field mounts["

// TestP06_SystemIsReadOnly without any configuration: what the host's root runs or believes
// is a volume, but none that can be written to, by whatever name.
func TestP06_SystemIsReadOnly(t *testing.T) {
	d := bed(t)
	other := t.TempDir()
	alias := dir(t, filepath.Join(other, "alias"))
	mount(t, "/usr/bin", alias, "", bindFlag)
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink("/usr/share", link))
	for _, source := range []string{"/usr", "/usr/bin", "/bin", "/lib", "/usr/share", "/etc/passwd", alias, link, other} {
		if _, err := os.Stat(source); err != nil {
			continue // this host does not have it
		}
		t.Run(filepath.Base(source), func(t *testing.T) {
			for _, options := range [][]string{nil, {"rw"}, {"ro", "rw"}, {"ro", "rrw"}} {
				refusedCreate(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(source, "/mnt", options...)}},
					"can't mount "+source+" because it", "read-only host mount", wantReadOnly)
			}
			for _, option := range []string{"ro", "rro"} {
				out := run(t, d, testbed.Container{
					Privileged: true, Mounts: []specs.Mount{testbed.Bind(source, "/mnt", option)},
					Args: []string{"sh", "-c", `test -s /mnt && { touch -c /mnt || mount -o remount,rw /mnt || mount -o remount,bind,rw /mnt; } 2>/dev/null || echo no`},
				})
				wantText(t, "write to it", out, "no")
			}
		})
	}
	checkClean(t, d)
}

// TestP06_ReadOnlyPlaces are configured, with a part that may be written to, and one that is
// not there yet.
func TestP06_ReadOnlyPlaces(t *testing.T) {
	d := bed(t)
	root := t.TempDir()
	tools, open := filepath.Join(root, "holder/tools"), filepath.Join(root, "holder/tools/open")
	file(t, tools+"/program", 0, 0o755)
	must(t, os.MkdirAll(open, 0o755))
	must(t, os.MkdirAll(root+"/later", 0o755))
	must(t, os.Link(tools+"/program", root+"/hard"))
	restrict(t, d, fmt.Sprintf("readonly = [%q, %q, %q]\nexcept = [%q]\n", tools, tools+"/program", root+"/later/tools", open))
	for _, source := range []string{tools, tools + "/program", root + "/holder", root + "/later", root + "/hard", root} {
		refusedCreate(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(source, "/mnt")}}, "can't mount "+source+" because it", "read-only host mount", wantReadOnly)
		run(t, d, testbed.Container{Args: []string{"stat", "/mnt"}, Mounts: []specs.Mount{testbed.Bind(source, "/mnt", "ro")}})
	}
	run(t, d, testbed.Container{Args: []string{"touch", "/mnt/new"}, Mounts: []specs.Mount{testbed.Bind(open, "/mnt")}})
	refusedCreate(t, d, testbed.Container{Rootfs: tools}, "the root file system is made of "+tools, "read-only host mount", "(rule rootfs, field root.path)")
	checkClean(t, d)
}
