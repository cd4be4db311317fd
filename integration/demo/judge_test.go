package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// outputs makes outputs of texts; one that begins with "!" failed.
func outputs(texts ...string) []output {
	var all []output
	for _, text := range texts {
		text, failed := strings.CutPrefix(text, "!")
		o := output{text: text}
		if failed {
			o.code = 1
		}
		all = append(all, o)
	}
	return all
}

const (
	maps      = "         0     100000      65536\n         0     165536      65536\n"
	uids      = "Uid:\t100000\t100000\t100000\t100000\nUid:\t165536\t165536\t165536\t165536\n"
	netError  = "!ctr: failed to create shim task: error in the container spec: invalid or unsupported container spec: eci containers can't share a network namespace with the host (because they use the linux user-namespace for isolation) (rule host-namespace, field linux.namespaces): permission denied\n"
	pidError  = "!ctr: failed to create shim task: error in the container spec: joining a namespace by path is not built yet: pid namespace \"/proc/self/ns/pid\"; see docs/policy.md#namespace-path (rule namespace-path, field linux.namespaces[0].path): not implemented\n"
	owned     = "new 0\nof-1000 1000\nof-root 0\n"
	moduleNot = "insmod: can't insert '/bin/busybox': "
)

// claimed are the claims that belong to maps.
var claimed = []string{"165536-231071", "100000-165535"}

// TestJudges holds every judge against what really came out, and against what must
// not pass. A case names the rows that are broken.
func TestJudges(t *testing.T) {
	for _, c := range []struct {
		name   string
		judge  func(runc, eci turn) verdict
		eci    turn
		broken []string
	}{
		{"root", judgeRoot, turn{out: outputs("", maps, uids), claims: claimed}, nil},
		{"root of the host", judgeRoot, turn{
			out:    outputs("", "0 0 4294967295\n0 0 4294967295\n", "Uid: 0 0 0 0\nUid: 0 0 0 0\n"),
			claims: nil,
		}, []string{"uid_map of a", "uid_map of b"}},
		{"root with a range in common", judgeRoot, turn{
			out:    outputs("", strings.ReplaceAll(maps, "165536", "100000"), strings.ReplaceAll(uids, "165536", "100000")),
			claims: claimed,
		}, []string{"uid_map of b"}},
		{"root with half a range", judgeRoot, turn{
			out:    outputs("", "0 100000 32768\n0 165536 65536\n", uids),
			claims: claimed,
		}, []string{"uid_map of a"}},
		{"root without a claim", judgeRoot, turn{out: outputs("", maps, uids), claims: claimed[:1]}, []string{"uid_map of a"}},
		{"root that changed one user", judgeRoot, turn{
			out:    outputs("", maps, strings.Replace(uids, "100000\t100000", "100000\t0", 1)),
			claims: claimed,
		}, []string{"a's root on the host"}},
		{"root that did not start", judgeRoot, turn{out: outputs("!no", "", "")}, []string{
			"uid_map of a", "uid_map of b", "a's root on the host", "b's root on the host",
		}},

		{"uptime", judgeUptime, turn{out: outputs("0.03 3815.07\n"), took: 200 * time.Millisecond}, nil},
		{"uptime of the host", judgeUptime, turn{out: outputs("2820.87 3815.07\n"), took: 200 * time.Millisecond}, []string{"/proc/uptime"}},
		{"uptime before the start", judgeUptime, turn{out: outputs("-1.0 3815.07\n"), took: time.Second}, []string{"/proc/uptime"}},
		{"no uptime", judgeUptime, turn{out: outputs("!cat: no"), took: time.Second}, []string{"/proc/uptime"}},

		{"read-only", judgeReadOnly, turn{out: outputs(
			"!mount: permission denied (are you root?)\nsh: can't create /mnt/file: Read-only file system\n", "untouched\n",
		)}, nil},
		{"read-only that is written", judgeReadOnly, turn{out: outputs("", "overwritten\n")}, []string{
			"mount -o remount", "write", "the file on the host",
		}},
		{"read-only by a program that is missing", judgeReadOnly, turn{out: outputs("!sh: mount: not found\n", "untouched\n")}, []string{
			"mount -o remount", "write",
		}},

		{"owners", judgeOwners, turn{out: outputs(owned, owned)}, nil},
		{"owners of nobody", judgeOwners, turn{out: outputs(strings.ReplaceAll(owned, "1000 1000", "1000 65534"), owned)}, []string{"a file of user 1000"}},
		{"owners unmapped outside", judgeOwners, turn{out: outputs(owned, strings.ReplaceAll(owned, "new 0", "new 100000"))}, []string{"a file made inside"}},
		{"no file made", judgeOwners, turn{out: outputs("!touch: no", strings.TrimPrefix(owned, "new 0\n"))}, []string{
			"a file of root", "a file of user 1000", "a file made inside",
		}},

		{"privileged", judgePrivileged, turn{out: outputs(
			"", "!"+moduleNot+"Operation not permitted\n", "!adjtimex: adjtimex: Operation not permitted\n",
			"!sh: can't create /proc/sys/kernel/core_pattern: Permission denied\n", "",
		)}, nil},
		{"privileged without modules", judgePrivileged, turn{out: outputs(
			"", "!"+moduleNot+noModules+"\n", "!adjtimex: adjtimex: Operation not permitted\n",
			"!sh: can't create /proc/sys/kernel/core_pattern: Permission denied\n", "",
		)}, nil},
		{"privileged on the host", judgePrivileged, turn{out: outputs("", "!"+moduleNot+"invalid module format\n", "", "", "/dev/vda\n")}, []string{
			"load a module", "set the clock", "write core_pattern", "disks in /dev",
		}},
		{"privileged that did not start", judgePrivileged, turn{out: outputs("!no", "!no", "!no", "!no", "!no")}, []string{
			"load a module", "set the clock", "write core_pattern", "disks in /dev",
		}},

		{"host namespaces", judgeHostNamespaces, turn{out: outputs(netError, pidError)}, nil},
		{"host namespaces that are shared", judgeHostNamespaces, turn{out: outputs("eth0\nlo\n", "PID\n1 root init\n")}, []string{
			"the host's network", "the host's processes",
		}},
		{"host namespaces refused in many words", judgeHostNamespaces, turn{out: outputs(netError+"usage: ctr\n", "!ctr: exit status 1\n")}, []string{
			"the host's network", "the host's processes",
		}},

		{"nothing left", judgeNothingLeft, turn{out: outputs("", "", "starts\n"), census: map[string]count{}}, nil},
		{"something left", judgeNothingLeft, turn{
			out:    outputs("", "", "!ctr: no\n"),
			census: map[string]count{"shim killed": {"sockets": 1, "other files": 2}},
		}, []string{"sockets", "other files", "the next container"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Under runc nothing is promised, so whatever came out there will do.
			v := c.judge(turn{out: outputs("", "", "", "", "")}, c.eci)
			var broken []string
			for _, r := range v.rows {
				if r.promise != "" {
					broken = append(broken, r.label)
				}
			}
			if !slices.Equal(broken, c.broken) {
				t.Errorf("broken: %q, want %q", broken, c.broken)
			}
		})
	}
}

// TestRootNotes asks for a word where the host's first range belongs to someone.
func TestRootNotes(t *testing.T) {
	for base, want := range map[string]bool{"100000": false, "165536": true} {
		eci := turn{
			out:    outputs("", "0 "+base+" 65536\n0 231072 65536\n", ""),
			claims: []string{"100000-165535", "165536-231071", "231072-296607"},
		}
		if v := judgeRoot(turn{out: outputs("", "", "")}, eci); (v.note != "") != want {
			t.Errorf("range from %s: note %q", base, v.note)
		}
	}
}

func TestTally(t *testing.T) {
	got := tally([]string{"mount /a", "process 1: x", "claim /r/100000-165535", "bundle /b", "runc state/c"})
	want := count{"mounts on the host": 1, "processes": 1, "ranges of IDs": 1, "other files": 2}
	for _, kind := range kinds {
		if got[kind.label] != want[kind.label] {
			t.Errorf("%s: %d, want %d", kind.label, got[kind.label], want[kind.label])
		}
	}
}

func TestRuncVersion(t *testing.T) {
	for answer, want := range map[string]string{
		"runc version 1.5.2\nspec: 1.3.0\n": "runc 1.5.2",
		"":                                  "runc",
	} {
		if got := runcVersion(answer); got != want {
			t.Errorf("runcVersion(%q) = %q, want %q", answer, got, want)
		}
	}
}
