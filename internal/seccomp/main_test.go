package seccomp

import (
	"testing"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// children are what run can call in a container. Each file of tests adds its own.
var children = map[string]func([]string) error{}

func TestMain(m *testing.M) { linuxtest.Main(m, children) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
