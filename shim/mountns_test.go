package shim

import "testing"

func TestIsNeeded(t *testing.T) {
	needed := append([]string{
		"/run/containerd/io.containerd.runtime.v2.task/default/web",
		"/usr/local/bin/containerd-shim-eci-v2", "/run/eci", "/opt/tools/bin/runc",
	}, systemPaths...)
	for point, want := range map[string]bool{
		"/":               true,
		"/proc":           true,
		"/proc/sys/fs":    true,
		"/sys/fs/cgroup":  true,
		"/dev/pts":        true,
		"/run":            true,
		"/run/containerd": true, // holds the bundle
		"/usr":            true,
		"/usr/local":      true, // holds the shim
		"/opt/tools":      true, // holds runc
		"/var/lib":        true,

		"/mnt":                      false,
		"/home":                     false,
		"/procfoo":                  false,
		"/run/netns/x":              false,
		"/run/eci/ranges/x":         false,
		"/var/lib/kubelet/pods/1/v": false,
		"/run/containerd/io.containerd.runtime.v2.task/default/web2":       false,
		"/run/containerd/io.containerd.runtime.v2.task/default/web/rootfs": false,
	} {
		if got := isNeeded(point, needed); got != want {
			t.Errorf("%s: %v, want %v", point, got, want)
		}
	}
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		path, dir string
		want      bool
	}{
		{"/a", "/a", true}, {"/a/b", "/a", true}, {"/ab", "/a", false}, {"/a", "/a/b", false}, {"/a", "/", true},
	} {
		if got := within(c.path, c.dir); got != c.want {
			t.Errorf("within(%q, %q) = %v", c.path, c.dir, got)
		}
	}
}
