//go:build !amd64

package main

import "github.com/eci-runtime/eci/integration/probe/attempt"

// attack32 has nothing to try: only amd64 has the 32-bit entry that it uses.
func attack32(args []string) (any, error) {
	return []attempt.Attempt{{Name: args[1] + "entry", Errno: "ENOSYS"}}, nil
}
