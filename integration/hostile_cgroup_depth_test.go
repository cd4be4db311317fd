package integration

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/testbed"
)

// deepCgroups makes cgroups deeper than a path may be long, in every hierarchy that lets it,
// with a process in the last, which is frozen where that can be, and prints how deep it
// got: the shell itself goes no further.
const deepCgroups = `
name=$(printf 'd%.0s' $(seq 200)) deepest=0
for root in /sys/fs/cgroup /sys/fs/cgroup/*; do
	test -w $root/cgroup.procs || continue
	cd $root || exit 1
	i=0
	while [ $i -lt 21 ] && mkdir $name; do cd $name; i=$((i+1)); done
	sleep 100000 >/dev/null 2>&1 </dev/null &
	echo $! >cgroup.procs
	test -e freezer.state && echo FROZEN >freezer.state
	test $i -gt $deepest && deepest=$i
done 2>/dev/null
echo depth $deepest; exec sleep 100000`

// TestHostile_CgroupsDeeperThanAPath: a container that has made them ends and is deleted
// like any other, whoever does it.
func TestHostile_CgroupsDeeperThanAPath(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	for name, end := range map[string]func(*testing.T, *testbed.Task){
		"delete": func(t *testing.T, task *testbed.Task) {
			if err := task.Delete(deadline(t)); err != nil {
				t.Error(err)
			}
		},
		"kill, then delete": func(t *testing.T, task *testbed.Task) {
			if err := task.Kill(deadline(t), unix.SIGKILL); err != nil {
				t.Error(err)
			}
			if _, err := task.Wait(deadline(t)); err != nil {
				t.Error(err)
			}
			if err := task.Delete(deadline(t)); err != nil {
				t.Error(err)
			}
		},
		"the shim is killed": func(t *testing.T, task *testbed.Task) {
			killShims(t, d, task.ID)
			deleteByID(t, d, task.ID)
		},
		"the shim is killed while paused": func(t *testing.T, task *testbed.Task) {
			if err := task.Task.Pause(d.Context(deadline(t))); err != nil {
				t.Error(err)
			}
			killShims(t, d, task.ID)
			deleteByID(t, d, task.ID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			task, err := d.Start(deadline(t), withRuntime(testbed.Container{
				Args: []string{"sh", "-c", deepCgroups},
				Spec: func(s *specs.Spec) {
					s.Mounts = append(s.Mounts, specs.Mount{Type: "cgroup", Source: "cgroup", Destination: "/sys/fs/cgroup", Options: []string{"rw"}})
				},
			}))
			if err != nil {
				t.Fatal(err)
			}
			line, err := task.Await(deadline(t), "depth ")
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(line, "depth 21") {
				t.Errorf("it got %q", line)
			}
			end(t, task)
			checkClean(t, d)
		})
	}
}

// TestHostile_ManyCgroups: on version 2 there are bounds, which the container cannot move.
func TestHostile_ManyCgroups(t *testing.T) {
	d := bed(t)
	root := "/sys/fs/cgroup"
	if _, err := os.Stat(root + "/cgroup.controllers"); err != nil {
		root += "/unified"
	}
	if _, err := os.Stat(root + "/cgroup.controllers"); err != nil {
		t.Skip("this host has no cgroup of version 2")
	}
	path := ""
	start(t, d, testbed.Container{Spec: func(s *specs.Spec) {
		path = s.Linux.CgroupsPath
		s.Mounts = append(s.Mounts, specs.Mount{Type: "cgroup", Source: "cgroup", Destination: "/sys/fs/cgroup", Options: []string{"rw"}})
	}})
	cgroup := filepath.Join(root, path)
	for file, want := range map[string]string{"cgroup.max.depth": "64", "cgroup.max.descendants": "10000"} {
		wantText(t, file, readFile(t, filepath.Join(cgroup, file)), want)
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(cgroup, file), &st); err != nil || st.Uid != 0 || st.Mode&0o022 != 0 {
			t.Errorf("%s: owner %d, mode %o, %v", file, st.Uid, st.Mode, err)
		}
	}
	if err := os.MkdirAll(cgroup+strings.Repeat("/d", 64), 0o755); err != nil {
		t.Error(err)
	}
	if err := os.Mkdir(cgroup+strings.Repeat("/d", 65), 0o755); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("one more: %v", err)
	}
}
