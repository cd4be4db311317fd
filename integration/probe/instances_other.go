//go:build !amd64

package main

import (
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/probe/attempt"
)

// Only amd64 has the 32-bit entry that these use.

func int80Instances(string) []instance { return nil }

func int80Umounts(string) []attempt.Attempt { return nil }

func askSysinfo32([]string) (any, error) { return nil, unix.ENOSYS }

func allowed32([]string) (any, error) { return nil, unix.ENOSYS }
