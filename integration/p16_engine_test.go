package integration

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// innerContainerd starts the stock containerd of the bed in a container, with its state in
// the default place, and waits until it answers.
const innerContainerd = `
mkdir -p /run/containerd /etc/containerd
echo 'version = 3
disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri", "io.containerd.nri.v1.nri"]' >/etc/containerd/config.toml
/opt/bin/containerd >/containerd.log 2>&1 &
until /opt/bin/ctr version >/dev/null 2>&1; do kill -0 $! || { cat /containerd.log; exit 1; }; done
`

// TestP16_StateServesContainerd: a stock containerd inside unpacks images, whose layers have
// whiteouts, into its overlayfs snapshotter, and finds them again after stop and start.
func TestP16_StateServesContainerd(t *testing.T) {
	d := bed(t)
	images, err := buildImages()
	succeed(t, err)
	shelf := dir(t, filepath.Join(t.TempDir(), "images"))
	archive, err := os.Create(filepath.Join(shelf, "layers100.tar"))
	succeed(t, err)
	succeed(t, images[1].Archive(archive), archive.Close())

	task := start(t, d, engine(testbed.Container{Mounts: []specs.Mount{
		testbed.Bind(d.Programs.Dir, "/opt/bin", "ro"), testbed.Bind(shelf, "/images", "ro"),
	}}))
	inState(t, task, innerContainerd+`/opt/bin/ctr images import /images/layers100.tar >/dev/null; mkdir -p /mnt/i`)
	name := testbed.Layers100Name
	// 99 numbers, of which 9 are gone again, and the file "last".
	wantText(t, "unpacked", inState(t, task, `/opt/bin/ctr images mount --rw "$1" /mnt/i >/dev/null; cat /mnt/i/layers/last; echo; ls /mnt/i/layers | wc -l
rm -r /mnt/i/layers; mkdir /mnt/i/layers; echo more >/mnt/i/more; grep -c '^overlay /mnt/i ' /proc/mounts; umount /mnt/i`, name), "99\n91\n1")

	task = again(t, d, task)
	wantText(t, "after stop and start", inState(t, task, innerContainerd+`/opt/bin/ctr images list -q; /opt/bin/ctr snapshots list | grep -c Committed; 
cat /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/*/fs/more; mkdir -p /mnt/j; /opt/bin/ctr images mount --rw "$1" /mnt/j >/dev/null; ls /mnt/j/layers | wc -l; umount /mnt/j`, name), name+"\n100\nmore\n91")
}
