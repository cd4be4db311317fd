package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestLint(t *testing.T) {
	const image = "docker.io/library/docker:cli"
	for _, c := range []struct {
		name, file string
		want       string // part of the remarks; empty: there is none
	}{
		{"nothing", "", ""},
		{"what is restricted beside the defaults", "mounts.restricted = ['/srv']", ""},
		{"an exception in it", "[mounts]\nrestricted = ['/srv']\nexcept = ['/srv/*/pub']", ""},
		{"a pattern that matches nothing yet", "mounts.restricted = ['/no/such/*']", ""},
		{"warn", "rules.hook = 'warn'", "rules.hook: the rule lets everything pass"},
		{"off", "rules.hook = 'off'", "rules.hook: the rule is off"},
		{"enforce", "rules.hook = 'enforce'", ""},
		{"a default opened", "mounts.except = ['/boot']", `mounts.except: "/boot" is restricted by default`},
		{"a default opened for layers", "mounts.layers = ['/var/lib/kubelet']", `mounts.layers: "/var/lib/kubelet" is restricted by default`},
		{"a default opened for reading", "mounts.readonly = ['/boot']", `mounts.readonly: "/boot" is restricted by default`},
		{"a read-only default opened", "mounts.except = ['/usr']", `mounts.except: "/usr" is readonly by default`},
		{"an exception in a read-only directory", "mounts.except = ['/usr/local/src']", ""},
		{"what is read-only beside the defaults", "mounts.readonly = ['/srv']", ""},
		{"an exception that becomes read-only", "mounts.readonly = ['/var/lib/kubelet/pods/*/volumes']", ""},
		{"an exception without effect", "mounts.except = ['/srv']", "the exception changes nothing"},
		{"the same with an allow-list", "[mounts]\nexcept = ['/srv']\nonly = ['/home']", ""},
		{"two words about one path", "[mounts]\nrestricted = ['/srv/a', '/srv']\nexcept = ['/srv/a']", "which counts"},
		{"no pin", "sockets.images = ['" + image + "']\nsockets.commands = { type = 'allow', list = ['ps'] }", `sockets.images: "` + image + `" has no pin`},
		{"no limit", "sockets.images = ['" + image + "']", "sockets.commands: not set"},
		{"nothing denied", "sockets.commands = { type = 'deny', list = [] }", "sockets.commands.list: is empty"},
		{"disks", "devices.allow = ['/dev/sd*']", `devices.allow: "/dev/sd*" gives whole disks`},
		{"all devices", "devices.allow = ['/dev/*']", "devices.allow: "},
		{"no disks", "devices.allow = ['/dev/dri/*', '/dev/video*']", ""},
		{"no emulation", "emulation.enabled = false", "emulation.enabled: containers see"},
		{"no ceiling for connections", "[sysctl.ceilings]\n'net.netfilter.nf_conntrack_max' = 100000000", "sysctl.ceilings: more than 8388608 tracked"},
		{"connections of a large host", "[sysctl.ceilings]\n'net.netfilter.nf_conntrack_max' = 4194304", ""},
		{"no log", "audit.file = ''", "audit: nothing is written down"},
		{"a journal", "[audit]\nfile = ''\njournal = true", ""},
		{"a log that is no secret", "audit.file = '/srv/audit.log'", `audit.file: "/srv/audit.log" lies in no restricted directory`},
		{"a log in a restricted place", "audit.file = '/srv/audit.log'\nmounts.restricted = ['/srv']", ""},
		{"a log in a read-only place", "audit.file = '/srv/audit.log'\nmounts.readonly = ['/srv']", ""},
		{"a log in an excepted place", "audit.file = '/srv/a/b'\n[mounts]\nrestricted = ['/srv']\nexcept = ['/srv/a']", "lies in no restricted directory"},
		{"a policy that is no secret", "policies = ['/srv/gpu.toml']", `policies: "/srv/gpu.toml" lies in no restricted directory`},
		{"a policy beside the others", "policies = ['/etc/eci/gpu.toml']", ""},
		{"no roots for runc", "runc_roots = []", "runc_roots: is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r lintResult
			path := write(t, "f.toml", c.file)
			out, errs, code := call(t, "policy", "lint", "--json", path)
			if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || !r.Valid {
				t.Fatalf("exit status %d, %v, %s%s", code, err, out, errs)
			}
			var remarks []string
			for _, remark := range r.Remarks {
				if remark.Key != "file" { // which lies in /tmp
					remarks = append(remarks, remark.Key+": "+remark.Text)
				}
			}
			got := strings.Join(remarks, "\n")
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestLintOfSeveralFiles(t *testing.T) {
	first, second := write(t, "10.toml", "mounts.restricted = ['/srv/a']"), write(t, "20.toml", "mounts.except = ['/srv/a']")
	out, _, code := call(t, "policy", "lint", first, second)
	flat := strings.Join(strings.Fields(out), " ")
	if want := `"/srv/a" is restricted in ` + first + ", and except in " + second + ", which counts"; code != 0 || !strings.Contains(flat, want) {
		t.Errorf("exit status %d, no %q in\n%s", code, want, out)
	}
	if _, _, code := call(t, "policy", "lint", "--strict", first, second); code != exitNo {
		t.Errorf("--strict: exit status %d", code)
	}
	out, _, code = call(t, "policy", "lint", first, write(t, "30.toml", "\nmount = 1\n"))
	if code != exitNo || !strings.Contains(strings.Join(strings.Fields(out), " "), `30.toml:2: "mount" is not a known key`) {
		t.Errorf("exit status %d\n%s", code, out)
	}
}
