package idmap

import (
	"errors"
	"os"
	"testing"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

func TestParseVersion(t *testing.T) {
	for release, want := range map[string]version{
		"6.18.44-fc-v595":   {6, 18},
		"5.19.0":            {5, 19},
		"6.1":               {6, 1},
		"6.6-rc1":           {6, 6},
		"5.15.0-91-generic": {5, 15},
		"10.100.1":          {10, 100},
	} {
		if got, err := parseVersion(release); got != want || err != nil {
			t.Errorf("%s: %v, %v", release, got, err)
		}
	}
	for _, release := range []string{"", "6", "6.", "x.y", "-6.1", "."} {
		if got, err := parseVersion(release); !errors.Is(err, ErrKernel) && release != "-6.1" {
			t.Errorf("%q: %v, %v", release, got, err)
		}
	}
}

// TestRequire walks the table on kernels that this machine does not have.
func TestRequire(t *testing.T) {
	for _, tc := range []struct {
		v    version
		want string
	}{
		{version{6, 18}, ""},
		{version{5, 19}, ""},
		{version{5, 18}, "kernel feature is missing: overlayfs on ID-mapped layers (Linux 5.19; this is 5.18)"},
		{version{5, 11}, "kernel feature is missing: ID-mapped mounts (Linux 5.12; this is 5.11)"},
		{version{5, 5}, "kernel feature is missing: time namespaces (Linux 5.6; this is 5.5)"},
		{version{3, 7}, "kernel feature is missing: user namespaces (Linux 3.8; this is 3.7)"},
	} {
		err := require(tc.v, features)
		if got := ""; err != nil {
			got = err.Error()
			if got != tc.want || !errors.Is(err, ErrKernel) {
				t.Errorf("%v: %s, want %s", tc.v, got, tc.want)
			}
		} else if tc.want != "" {
			t.Errorf("%v: no error, want %s", tc.v, tc.want)
		}
	}
	err := require(version{6, 1}, []feature{{"dreams", version{1, 0}, needFile("/proc/self/ns/dream")}})
	if !errors.Is(err, ErrKernel) || !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestRequireHere(t *testing.T) {
	if err := Require(); err != nil {
		linuxtest.Missing(t, err.Error())
	}
}
