package idmap

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

func TestMain(m *testing.M) {
	linuxtest.Main(m, map[string]func([]string) error{
		"attack":  childAttack,
		"claim":   childClaim,
		"devices": childDevices,
		"inner":   childInner,
		"make":    childMake,
		"nested":  childNested,
		"owners":  childOwners,
		"suid":    childSetID,
		"userns":  childUserNS,
		"whoami":  childWhoAmI,
		"work":    childWork,
	})
}

// testRange is a range that no account uses.
var testRange = Range{Base: 700000, Size: 65536}

// staged calls fn on a stage for r, in the mount namespace of the tests.
func staged(t testing.TB, r Range, fn func(s *Stage) error) {
	t.Helper()
	ns, err := NewUserNamespace(r)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	if err := RunStage(StageConfig{Range: r, UserNS: ns}, fn); err != nil {
		t.Fatal(err)
	}
}

// target is an empty directory to mount on, which is unmounted at the end.
func target(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(linuxtest.Dir(t), "rootfs")
	must(t, os.Mkdir(dir, 0o755))
	t.Cleanup(func() { unmount(dir) })
	return dir
}

// unmount takes away everything that is mounted on dir.
func unmount(dir string) {
	for linux.Detach(dir) == nil {
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// owner is "<uid>:<gid>" of path, not following links.
func owner(path string) (string, error) {
	st, err := linux.StatAt(nil, path)
	return strconv.Itoa(int(st.UID)) + ":" + strconv.Itoa(int(st.GID)), err
}

func wantOwner(t testing.TB, path, want string) {
	t.Helper()
	if got, err := owner(path); err != nil || got != want {
		t.Errorf("%s: owner %s, %v; want %s", path, got, err, want)
	}
}

func fdName(f *os.File) string { return strconv.Itoa(int(f.Fd())) }
