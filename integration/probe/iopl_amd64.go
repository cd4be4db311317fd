package main

import "golang.org/x/sys/unix"

// iopl asks for access to I/O ports; iopl(2).
func iopl() error { return unix.Iopl(3) }
