package policy

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Answer takes a profile through what Check and Rewrite do with it, for some system calls of
// the table.
func Answer(client *specs.LinuxSeccomp, platform string, names ...string) (*specs.LinuxSeccomp, []string) {
	var calls []syscall
	for _, c := range syscalls {
		if slices.Contains(names, c.name) {
			calls = append(calls, c)
		}
	}
	profile, done := answer(client, calls, platform)
	var out []string
	for _, c := range done {
		out = append(out, c.name)
	}
	return profile, out
}

// Narrowed tells whether a container sees fewer processors than it may run on.
var Narrowed = narrowed
