package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/eci-runtime/eci/integration/testbed"
)

// A container outlives containerd: after a crash and a new start it is the same,
// and can be used and deleted.
func TestP22_KillingContainerd(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	task, err := d.Start(deadline(t), withRuntime(testbed.Container{Args: []string{"sh", "-c", "echo 1 >/kept; sleep 100000"}}))
	if err != nil {
		t.Fatal(err)
	}
	before := mapping(t, task)
	if err := d.Relaunch(); err != nil {
		t.Fatal(err)
	}
	again, err := d.Attach(deadline(t), task.ID)
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, "mapping after the crash", mapping(t, again), before)
	wantText(t, "a file of before", exec(t, again, "cat", "/kept"), "1")
	if other := start(t, d, testbed.Container{}); mapping(t, other) == before {
		t.Error("a new container has the range of one that outlived containerd")
	} else if err := other.Delete(deadline(t)); err != nil {
		t.Error(err)
	}
	deleteByID(t, d, task.ID)
	checkClean(t, d)
}

// A configuration that has become invalid keeps nobody from deleting.
func TestP22_DeletingWithABrokenConfiguration(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	good, err := os.ReadFile(d.ConfigFile())
	if err != nil {
		t.Fatal(err)
	}
	set := func(content string) {
		if err := os.WriteFile(d.ConfigFile(), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { set(string(good)) })

	regular := start(t, d, testbed.Container{})
	set("broken")
	deleteByID(t, d, regular.ID)
	checkClean(t, d)

	set(string(good))
	crashed := start(t, d, testbed.Container{})
	set("broken")
	killShims(t, d, crashed.ID)
	deleteByID(t, d, crashed.ID)
	// Where the claims are can no longer be known: the next container, which
	// needs a valid configuration, drops what belongs to nobody.
	set(string(good))
	run(t, d, testbed.Container{})
	checkClean(t, d)
}

// A claim whose bundle is gone belongs to nobody, whoever left it: it does not
// keep a container from the last free range.
func TestP22_ClaimOfNobodyIsDropped(t *testing.T) {
	const base = 1 << 20
	d := freshBed(t, testbed.Options{IDs: testbed.IDs{Base: base, Size: rangeSize, End: base + rangeSize - 1}})
	run(t, d, testbed.Container{})
	claim := filepath.Join(d.StateDir(), "ranges", fmt.Sprintf("%d-%d", base, base+rangeSize-1))
	if err := os.Symlink(d.Bundle("gone"), claim); err != nil {
		t.Fatal(err)
	}
	wantText(t, "mapping", mapping(t, start(t, d, testbed.Container{})), fmt.Sprintf("0 %d %d", base, rangeSize))
}
