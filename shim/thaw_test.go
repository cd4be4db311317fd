package shim

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestThawResetsEveryCgroupBelow(t *testing.T) {
	freezer, blkio, unified := t.TempDir(), t.TempDir(), t.TempDir()
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	own, child, deep := freezer+"/freezer.state", freezer+"/x/freezer.state", freezer+"/x/y/freezer.state"
	write(own, "FROZEN\n")
	write(child, "FROZEN\n")
	write(deep, "FROZEN\n")
	throttle := blkio + "/x/blkio.throttle.read_bps_device"
	write(throttle, "8:0 1\n")
	max := unified + "/x/io.max"
	write(max, "8:0 rbps=1 wbps=max riops=max wiops=max\n")

	thaw(t.Context(), map[string]string{"freezer": freezer, "blkio": blkio, "": unified})

	for path, want := range map[string]string{
		own:      "FROZEN\n", // of the container's own cgroup, whose pausing is runc's
		child:    "THAWED",
		deep:     "THAWED",
		throttle: "8:0 0",
		max:      "8:0 rbps=max wbps=max riops=max wiops=max",
	} {
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// A file of cgroupfs takes each write for itself; this one keeps them.
		if diff := cmp.Diff(want, string(got)); diff != "" && !(len(got) > len(want) && string(got[:len(want)]) == want) {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

func TestForEachDevice(t *testing.T) {
	got := forEachDevice("0")("8:0 1024\n8:16 1\n\nTotal\n")
	if diff := cmp.Diff([]string{"8:0 0", "8:16 0"}, got); diff != "" {
		t.Error(diff)
	}
}
