package host

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// TestVerify mounts something below a source between the look and the clone.
func TestVerify(t *testing.T) {
	linuxtest.NoLeak(t)
	v := here(t)
	root := linuxtest.Dir(t)
	source, target := dir(t, root+"/source"), dir(t, root+"/target")
	mount(t, "t", dir(t, source+"/judged"), "tmpfs", 0, "")
	for _, tt := range []struct {
		name    string
		between func(t *testing.T)
		fails   bool
	}{
		{"nothing", func(*testing.T) {}, false},
		{"elsewhere", func(t *testing.T) { mount(t, "t", dir(t, root+"/elsewhere"), "tmpfs", 0, "") }, false},
		{"below", func(t *testing.T) { mount(t, "t", dir(t, source+"/new"), "tmpfs", 0, "") }, true},
		{"on what was judged", func(t *testing.T) { bind(t, "/etc", source+"/judged") }, true},
		{"removed", func(t *testing.T) { must(t, unix.Unmount(source+"/judged", 0)) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, opened, err := Observe(v, config(t), Request{Bundle: "/run/state/ns/id", Spec: specOf(source)})
			must(t, err)
			defer opened.Close()
			// Another container of the pod looks meanwhile.
			_, other, err := Observe(v, config(t), Request{Bundle: "/run/state/ns/other", Spec: specOf(root)})
			must(t, err)
			other.Close()
			tt.between(t)
			_, other, err = Observe(v, config(t), Request{Bundle: "/run/state/ns/other", Spec: specOf(root)})
			must(t, err)
			other.Close()

			tree, err := linux.OpenTree(opened.Sources[0].File, "", true)
			must(t, err)
			defer tree.Close()
			must(t, linux.MoveMountTo(tree, nil, target))
			defer func() { must(t, linux.Detach(target)) }()
			if tt.name == "below" { // it is gone again, and came along
				must(t, linux.Detach(source+"/new"))
			}
			err = opened.Verify(opened.Sources[0], tree)
			if (err != nil) != tt.fails || err != nil && !strings.Contains(err.Error(), source) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestVerifyOfFlatBinds has nothing to verify.
func TestVerifyOfFlatBinds(t *testing.T) {
	v := here(t)
	spec := specOf(linuxtest.Dir(t))
	spec.Mounts[0].Options = []string{"bind"}
	_, opened, err := Observe(v, config(t), Request{Bundle: "/run/state/ns/id", Spec: spec})
	must(t, err)
	defer opened.Close()
	must(t, opened.Verify(opened.Sources[0], os.Stdin))
	must(t, opened.Verify(nil, nil))
}
