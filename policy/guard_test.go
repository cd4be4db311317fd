package policy_test

import (
	"testing"

	"github.com/eci-runtime/eci/policy"
)

// TestGuarded: what a container can write to is not where links are believed.
func TestGuarded(t *testing.T) {
	t.Parallel()
	cfg := policy.Default()
	for p, a := range map[string]policy.Access{
		"/srv/open/secret": policy.Restricted, "/srv/open/secret/shared": policy.Excepted,
		"/data/link/secret": policy.Restricted, "/opt/tools": policy.Readable,
	} {
		cfg.Mounts.Rules = append(cfg.Mounts.Rules, policy.PathRule{Path: p, Access: a})
	}
	cfg.Mounts.Rules = append(cfg.Mounts.Rules, policy.PathRule{Path: "/mnt/own", Access: policy.Restricted, Final: true})
	cfg.Mounts.Only = []string{"/mnt/listed"}
	guarded := cfg.Guarded(map[string]policy.Location{
		"/data/link/secret":               {Path: "/vol/secret", Links: []string{"/data/link"}},
		"/srv/open/secret/shared":         {Path: "/srv/open/secret/shared", Also: []string{"/etc/shared"}},
		"/var/lib/docker/overlay2/*/diff": {Path: "/var/lib/docker/overlay2/*/diff"},
	})
	for dir, want := range map[string]bool{
		"/": true, "/etc": true, "/var/lib": true, "/run": true,
		"/etc/docker/x": true, "/var/lib/docker": true, "/var/lib/docker/overlay2/a": true,
		"/srv": true, "/srv/open": true, "/srv/open/secret/x": true,
		"/data": true, "/vol": true, "/vol/secret/x": true,

		"/srv/open/secret/shared": false, "/etc/shared/x": false, "/srv/other": false,
		"/data/link":                      false, // a directory by now
		"/var/lib/docker/volumes/v/_data": false, "/var/lib/docker/overlay2/a/diff/x": false,
		"/home": false, "/home/kim": false, "/opt": false, "/opt/tools": false,
		"/mnt": false, "/mnt/own": false, // for one container alone
	} {
		if guarded(dir) != want {
			t.Errorf("guarded(%s) is not %t", dir, want)
		}
	}
}
