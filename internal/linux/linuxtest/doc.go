// Package linuxtest lets tests use the kernel: in a mount namespace of their
// own, as root of a user namespace, on several file systems, and without
// leaving descriptors behind. Only tests import it.
package linuxtest
