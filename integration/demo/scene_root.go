package main

import (
	"fmt"
	"os/user"
	"slices"
	"strings"
)

// root shows whom the root users of two living containers are.
var root = scene{
	title:    "Root inside is nobody outside",
	promises: "P01",
	meaning: "Each container has 65,536 users of its own: its root is no user of the host, " +
		"and none of another container either.",
	script: `
for c in a b; do
    ctr run -d --runtime {runtime} {image} $c sleep 600
done
for c in a b; do ctr task exec --exec-id 1 $c cat /proc/self/uid_map; done
for pid in $(ctr task ls | sort | awk '/RUNNING/ {print $2}'); do
    grep Uid: /proc/$pid/status
done
`,
	after: func(b *bed, t *turn) error {
		t.claims = b.Claims()
		b.count("two under " + t.runtime)
		return nil
	},
	judge: judgeRoot,
}

func judgeRoot(runc, eci turn) verdict {
	var v verdict
	claims := slices.Clone(eci.claims)
	for i, c := range []string{"a", "b"} {
		base, size := parseMap(eci.out[1].line(i))
		claim := fmt.Sprintf("%d-%d", base, base+size-1)
		at := slices.Index(claims, claim)
		ok := size == 65536 && base >= 65536 && at >= 0
		if ok {
			claims = slices.Delete(claims, at, at+1) // nobody else may have it
		}
		v.rows = append(v.rows, expect("uid_map of "+c, runc.out[1].line(i), eci.out[1].line(i), ok,
			"0 N 65536, an exclusive range"))
		if i == 0 && ok && base != 100000 {
			v.note = "(Ranges begin at 100000; on this host that one is taken.)"
		}
	}
	for i, c := range []string{"a", "b"} {
		base, _ := parseMap(eci.out[1].line(i))
		uid := statusUID(eci.out[2].line(i))
		v.rows = append(v.rows, expect(c+"'s root on the host", who(statusUID(runc.out[2].line(i))), who(uid),
			uid != "" && uid == fmt.Sprint(base), "a user that no one has"))
	}
	return v
}

// parseMap reads a uid_map of one extent that starts at 0; zeros for any other.
func parseMap(line string) (base, size int) {
	var inside int
	if n, err := fmt.Sscan(line, &inside, &base, &size); err != nil || n != 3 || inside != 0 {
		return 0, 0
	}
	return base, size
}

// statusUID takes the real user out of a line of /proc/PID/status, "" unless all
// four IDs are the same.
func statusUID(line string) string {
	f := strings.Fields(line)
	if len(f) != 5 || f[0] != "Uid:" || f[1] != f[2] || f[1] != f[3] || f[1] != f[4] {
		return ""
	}
	return f[1]
}

// who names a user of the host.
func who(uid string) string {
	if uid == "" {
		return "(unknown)"
	}
	if u, err := user.LookupId(uid); err == nil {
		return uid + " (" + u.Username + ")"
	}
	return uid + " (no such user)"
}
