package pseudofs

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// passedNode is a node that is passed through.
const passedNode = "proc/sys/net/ipv4/neigh/lo/gc_stale_time"

// TestServedNeedsRights: to be root in the container is not enough for a setting of its
// network, as in the kernel's own directories.
func TestServedNeedsRights(t *testing.T) {
	f := serveFS(t, nil)
	c := newContainer(t)
	c.cover(f)
	const without = "setpriv --bounding-set=-net_admin sh -c"
	c.contains(without+" 'echo 11 >proc/sys/net/ipv4/conf/lo/forwarding'", "denied") // the kernel's
	c.want("echo 50 >"+passedNode+"; cat "+passedNode, "50")
	c.contains(without+" 'echo 11 | tee "+passedNode+"'", "not permitted")
	c.want("cat "+passedNode, "50")
	// In a network that an inner user namespace owns, its root has every right, and none here.
	c.want("unshare -Urn sh -c 'echo 66 >"+passedNode+"; cat "+passedNode+"'; cat "+passedNode, "66\n50")
	c.contains("unshare -Ur sh -c 'echo 66 | tee "+passedNode+"'", "not permitted")
	// Who made the user namespace has its rights, whoever he is in it.
	c.want("unshare -Ur unshare -n sh -c 'echo 67 >"+passedNode+"; cat "+passedNode+"'", "67")
}

// TestServedElsewhere: whoever gets an open file of a container sees the container's network,
// and does not write to his own.
func TestServedElsewhere(t *testing.T) {
	host, err := os.ReadFile("/" + passedNode)
	must(t, err)
	t.Cleanup(func() { must(t, os.WriteFile("/"+passedNode, host, 0)) })
	f := serveFS(t, nil)
	c := newContainer(t)
	c.cover(f)
	c.want("echo 51 >"+passedNode+"; exec 9<>"+passedNode+"; cat "+passedNode, "51")
	given := fmt.Sprintf("/proc/%d/fd/9", c.cmd.Process.Pid)
	for range 3 {
		if err := os.WriteFile(given, []byte("52\n"), 0); !errors.Is(err, unix.EPERM) {
			t.Error(err)
		}
		want(t, given, "51\n")
		want(t, "/"+passedNode, string(host))
	}
	c.want("cat "+passedNode, "51")
	if strings.TrimSpace(string(host)) == "51" {
		t.Error("the host has the same value: this shows nothing")
	}
}
