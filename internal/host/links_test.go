package host

import (
	"fmt"
	"net"
	"os"
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
	for _, name := range []string{"/secret/deep/er/key", "/single", "/secret/open/file", "/secret/layers/1/file", "/home/u/.ssh/id", "/free/x"} {
		file(t, root+name)
	}
	l, err := net.Listen("unix", root+"/secret/s")
	must(t, err)
	defer l.Close()
	cfg := config(t, "/proc", "/dev", root+"/secret", root+"/single")
	cfg.Mounts.Rules = append(cfg.Mounts.Rules,
		policy.PathRule{Path: root + "/home/*/.ssh", Access: policy.Masked},
		policy.PathRule{Path: root + "/secret/open", Access: policy.Excepted},
		policy.PathRule{Path: root + "/secret/lay*", Access: policy.Layers})
	for name, want := range map[string]string{
		"/secret/deep/er/key": root + "/secret", "/single": root + "/single", "/secret/s": root + "/secret",
		"/home/u/.ssh/id": root + "/home/*/.ssh", "/free/x": "", "/secret/open/file": "", "/secret/layers/1/file": "",
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
