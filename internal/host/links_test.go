package host

import (
	"fmt"
	"net"
	"os"
	"slices"
	"testing"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
	"github.com/eci-runtime/eci/policy"
)

// TestHardLinks gives restricted files another name in a directory that is not.
func TestHardLinks(t *testing.T) {
	linuxtest.NoLeak(t)
	v := here(t)
	root := linuxtest.Dir(t)
	free := dir(t, root+"/free")
	link := func(name string) string {
		to := fmt.Sprintf("%s/%d", free, len(name))
		_ = os.Remove(to)
		must(t, os.Link(root+name, to))
		return to
	}
	for _, name := range []string{"/secret/deep/er/key", "/single", "/secret/open/file", "/secret/layers/1/file", "/home/u/.ssh/id", "/free/x", "/tools/program"} {
		file(t, root+name)
	}
	l, err := net.Listen("unix", root+"/secret/s")
	must(t, err)
	defer l.Close()
	cfg := config(t, "/proc", "/dev", root+"/secret", root+"/single")
	cfg.Mounts.Rules = append(cfg.Mounts.Rules,
		policy.PathRule{Path: root + "/home/*/.ssh", Access: policy.Masked},
		policy.PathRule{Path: root + "/tools", Access: policy.Readable},
		policy.PathRule{Path: root + "/secret/open", Access: policy.Excepted},
		policy.PathRule{Path: root + "/secret/lay*", Access: policy.Layers})
	for name, want := range map[string]string{
		"/secret/deep/er/key": root + "/secret", "/single": root + "/single", "/secret/s": root + "/secret",
		"/home/u/.ssh/id": root + "/home/*/.ssh", "/free/x": "", "/tools/program": "", "/secret/open/file": "", "/secret/layers/1/file": "",
	} {
		s, facts := look(t, v, cfg, link(name))
		if s.Linked != want {
			t.Errorf("%s: linked to %q, want %q", name, s.Linked, want)
		}
		if at := facts.Places[root+"/single"]; len(at.Files) != 1 {
			t.Errorf("%+v", at)
		}
	}
	// Another mount of the file system, in a restricted directory of a third one.
	mount(t, "t", dir(t, root+"/tmpfs"), "tmpfs", 0, "")
	bind(t, root+"/secret", dir(t, root+"/tmpfs/there"))
	if s, _ := look(t, v, config(t, root+"/tmpfs"), link("/secret/deep/er/key")); s.Linked != root+"/tmpfs" {
		t.Errorf("through a mount: linked to %q", s.Linked)
	}
}

// TestTooManyRestrictedFiles to be looked through is no reason to let a file pass.
func TestTooManyRestrictedFiles(t *testing.T) {
	v := here(t)
	root := linuxtest.Tmpfs(t)
	many := dir(t, root+"/many")
	for i := range maxEntries + 1 {
		must(t, os.Symlink("x", fmt.Sprintf("%s/%d", many, i)+"x"))
	}
	must(t, os.Link(file(t, root+"/a"), root+"/b"))
	if s, _ := look(t, v, config(t, many), root+"/b"); s.Linked != manyLinks {
		t.Errorf("linked to %q", s.Linked)
	}
}

// TestLinksAreCountedOnce: all sources of a container share one walk, and where it ends
// too early only those are in doubt that it has not met.
func TestLinksAreCountedOnce(t *testing.T) {
	v := here(t)
	root := linuxtest.Tmpfs(t)
	first, many := dir(t, root+"/first"), dir(t, root+"/many")
	var sources []string
	for _, name := range []string{"met", "doubtful"} {
		must(t, os.Link(file(t, root+"/"+name), root+"/"+name+"2"))
		sources = append(sources, root+"/"+name)
	}
	must(t, os.Link(root+"/met", first+"/x"))
	sources = append(sources, file(t, root+"/single"))
	for i := range maxEntries * 3 / 4 {
		must(t, os.Symlink("x", fmt.Sprintf("%s/%d", many, i)))
	}
	observe := func(cfg policy.Config) (linked []string) {
		facts, opened, err := Observe(v, cfg, Request{Bundle: "/run/state/ns/id", Spec: specOf(sources...)})
		must(t, err)
		opened.Close()
		for i := range sources {
			linked = append(linked, facts.Sources[i].Linked)
		}
		return linked
	}
	if got, want := observe(config(t, first, many)), []string{first, "", ""}; !slices.Equal(got, want) {
		t.Errorf("within the bound: %q, want %q", got, want)
	}
	if got, want := observe(config(t, first, many, many+"/../many")), []string{first, manyLinks, ""}; !slices.Equal(got, want) {
		t.Errorf("beyond it: %q, want %q", got, want)
	}
}

// TestLinksPassByWhatDoesNotAnswer: a file system whose server is silent hangs whoever
// asks about it.
func TestLinksPassByWhatDoesNotAnswer(t *testing.T) {
	v := here(t)
	root := linuxtest.Tmpfs(t)
	secret := dir(t, root+"/secret")
	server, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("needs /dev/fuse: %v", err)
	}
	// Closing it is what ends those who wait.
	t.Cleanup(func() { server.Close() })
	mount(t, "silent", dir(t, secret+"/a"), "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", server.Fd()))
	must(t, os.Link(file(t, secret+"/z/file"), root+"/b"))
	if s, _ := look(t, v, config(t, secret), root+"/b"); s.Linked != secret {
		t.Errorf("linked to %q", s.Linked)
	}
}
