package host

import (
	"fmt"
	"testing"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
	"github.com/eci-runtime/eci/policy"
)

// image is a root file system of n layers.
func image(b *testing.B, n int) []idmap.Mount {
	root := linuxtest.Dir(b)
	lower := ""
	for i := range n {
		lower = ":" + dir(b, fmt.Sprintf("%s/%d/fs", root, i)) + lower
	}
	return []idmap.Mount{{Type: "overlay", Options: []string{
		"lowerdir=" + lower[1:], "upperdir=" + dir(b, root+"/up/fs"), "workdir=" + dir(b, root+"/up/work"),
	}}}
}

// BenchmarkObserve is what a container costs before it is judged: the decision is
// measured in package policy.
func BenchmarkObserve(b *testing.B) {
	for _, tt := range []struct {
		name                   string
		layers, binds, more, n int // n: mounts of the host
	}{
		{"plain", 3, 0, 0, 0},
		{"docker", 10, 5, 0, 100},
		{"60 mounts, 200 restricted paths", 10, 60, 200, 200},
	} {
		b.Run(tt.name, func(b *testing.B) {
			linuxtest.Root(b)
			root := linuxtest.Dir(b)
			for i := range tt.n {
				at := dir(b, fmt.Sprintf("%s/m/%d", root, i))
				mount(b, "t", at, "tmpfs", 0, "")
			}
			cfg := policy.Default()
			for i := range tt.more {
				cfg.Mounts.Rules = append(cfg.Mounts.Rules, policy.PathRule{
					Path: fmt.Sprintf("%s/restricted/%d", root, i), Access: policy.Restricted,
				})
				if i%2 == 0 {
					dir(b, cfg.Mounts.Rules[len(cfg.Mounts.Rules)-1].Path)
				}
			}
			var sources []string
			for i := range tt.binds {
				sources = append(sources, dir(b, fmt.Sprintf("%s/volumes/%d/_data", root, i)))
			}
			v, err := Here()
			must(b, err)
			defer v.Close()
			r := Request{Bundle: root + "/state/ns/id", Spec: specOf(sources...), Rootfs: image(b, tt.layers)}
			for b.Loop() {
				_, opened, err := Observe(v, cfg, r)
				if err != nil {
					b.Fatal(err)
				}
				opened.Close()
			}
		})
	}
}
