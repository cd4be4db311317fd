package integration

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/eci-runtime/eci/integration/testbed"
)

// maxima are the settings of which the host gets the largest that living containers ask for.
var maxima = []string{"fs.nr_open", "fs.file-max", "net.netfilter.nf_conntrack_max"}

var maximumPaths = map[string]string{
	"fs.nr_open":                     "/proc/sys/fs/nr_open",
	"fs.file-max":                    "/proc/sys/fs/file-max",
	"net.netfilter.nf_conntrack_max": "/proc/sys/net/netfilter/nf_conntrack_max",
}

// needMaximum returns the host's value of a setting, and puts it back after the test.
func needMaximum(t *testing.T, name string) uint64 {
	t.Helper()
	path := maximumPaths[name]
	if !exists(path) {
		t.Skipf("the host has no %s", path)
	}
	text := hostSetting(path)
	value, err := strconv.ParseUint(text, 10, 64)
	succeed(t, err)
	if name == "fs.file-max" && value > 1<<62 || name != "fs.file-max" && value > 1<<30 {
		t.Skipf("the host's %s is %d: nothing is larger", name, value)
	}
	t.Cleanup(func() {
		if hostSetting(path) != text {
			_ = os.WriteFile(path, []byte(text), 0)
		}
	})
	return value
}

// wantHost waits until the host has a value.
func wantHost(t *testing.T, name string, want uint64) {
	t.Helper()
	eventually(t, "the host's "+name, func() (string, bool) {
		have := hostSetting(maximumPaths[name])
		return have, have == strconv.FormatUint(want, 10)
	})
}

// The host's value is the maximum of what living containers ask for, up to the ceiling, and
// goes back when they are gone, however they went.
func TestP14_Maximum(t *testing.T) {
	for _, name := range maxima {
		t.Run(name, func(t *testing.T) {
			host := needMaximum(t, name)
			const step = 1024
			d := freshBed(t, testbed.Options{Config: fmt.Sprintf("sysctl.ceilings = { %q = %d }", name, host+8*step)})
			path := maximumPaths[name]
			ask := func(task *testbed.Task, value uint64) setting {
				t.Helper()
				return change(t, task, fmt.Sprintf("%s=%d", path, value))[0]
			}
			has := func(task *testbed.Task, value uint64) {
				t.Helper()
				wantText(t, "the container's value", change(t, task, path+"?")[0].Before, strconv.FormatUint(value, 10))
			}

			first := start(t, d, writableContainer())
			if got := ask(first, host+step); got.Errno != "" || got.After != fmt.Sprint(host+step) {
				t.Fatalf("got %+v", got)
			}
			wantHost(t, name, host+step)
			second := start(t, d, writableContainer())
			ask(second, host+3*step)
			wantHost(t, name, host+3*step)
			has(first, host+step)
			ask(first, host+2*step)
			wantHost(t, name, host+3*step)
			succeed(t, second.Delete(deadline(t)))
			wantHost(t, name, host+2*step)

			// Less than the host has is the container's own matter.
			ask(first, host/2)
			wantHost(t, name, host)
			has(first, host/2)

			// Above the ceiling, the host's value ends at it, whatever the container is told.
			t.Logf("above the ceiling: %+v", ask(first, host+100*step))
			if have := hostSetting(path); have != fmt.Sprint(host+8*step) && have != fmt.Sprint(host) {
				t.Errorf("the host has %s, the ceiling is %d", have, host+8*step)
			}
			ask(first, host+2*step)
			wantHost(t, name, host+2*step)
			ended := start(t, d, writableContainer())
			ask(ended, host+4*step)
			wantHost(t, name, host+4*step)
			killShims(t, d, ended.ID)
			deleteByID(t, d, ended.ID)
			wantHost(t, name, host+2*step)

			succeed(t, first.Delete(deadline(t)))
			wantHost(t, name, host)
			checkClean(t, d)
		})
	}
}

// What the client has made read-only raises nothing, though an inner user namespace may lift that
// from a proc of its own: the container's copy it is, then.
func TestP14_ReadOnlyRaisesNothing(t *testing.T) {
	const name = "fs.nr_open"
	host := needMaximum(t, name)
	d := freshBed(t, testbed.Options{Config: fmt.Sprintf("sysctl.ceilings = { %q = %d }", name, host+8192)})
	for what, c := range map[string]testbed.Container{
		"default":       {},
		"CAP_SYS_ADMIN": {CapAdd: []string{"CAP_SYS_ADMIN"}},
	} {
		task := start(t, d, c)
		const lift = `mkdir /p && unshare -Urmpf sh -c 'mount -t proc p /p && mount -o remount,bind,rw /p/sys && echo %[1]d >/p/sys/fs/nr_open'
			cat /proc/sys/fs/nr_open`
		t.Logf("%s: the container has %s", what, exec(t, task, "sh", "-c", fmt.Sprintf(lift, host+1024)))
		if have := hostSetting(maximumPaths[name]); have != fmt.Sprint(host) {
			t.Errorf("%s: the host has %s, before %d", what, have, host)
		}
	}
	change(t, start(t, d, writableContainer()), fmt.Sprintf("%s=%d", maximumPaths[name], host+1024))
	wantHost(t, name, host+1024)
}

// Both the last container and its shim go without a word: the next one that starts, or a
// delete, puts the host's value back.
func TestP14_MaximumAfterKill(t *testing.T) {
	const name = "fs.nr_open"
	host := needMaximum(t, name)
	d := freshBed(t, testbed.Options{Config: fmt.Sprintf("sysctl.ceilings = { %q = %d }", name, host+8192)})
	task := start(t, d, writableContainer())
	change(t, task, fmt.Sprintf("%s=%d", maximumPaths[name], host+1024))
	wantHost(t, name, host+1024)
	killShims(t, d, task.ID)
	deleteByID(t, d, task.ID)
	wantHost(t, name, host)
	checkClean(t, d)
}

// Without a ceiling in the policy, see what the default gives: never more than it says.
func TestP14_DefaultCeilings(t *testing.T) {
	const name = "fs.nr_open"
	host := needMaximum(t, name)
	d := freshBed(t, testbed.Options{})
	task := start(t, d, writableContainer())
	got := change(t, task, fmt.Sprintf("%s=%d", maximumPaths[name], host+1024))[0]
	t.Logf("%+v, the host has %s", got, hostSetting(maximumPaths[name]))
	have, err := strconv.ParseUint(hostSetting(maximumPaths[name]), 10, 64)
	succeed(t, err)
	if have != host && have != host+1024 {
		t.Errorf("the host has %d, it was %d", have, host)
	}
	succeed(t, task.Delete(deadline(t)))
	wantHost(t, name, host)
}
