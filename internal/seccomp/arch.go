package seccomp

import "golang.org/x/sys/unix"

// abi is a way in which programs call the kernel. The shim's own is one of several that a
// container can use, whatever its image is made of: every process of an x86-64 machine can
// call as a 32-bit one (int 0x80).
type abi struct {
	name  string // as in the tables of the kernel's sources
	audit uint32 // seccomp_data.arch, AUDIT_ARCH_*
	bit   uint32 // set in each number: what tells x32 from x86-64, which have one audit value

	// word is the size of an unsigned long in the kernel's structures, in bytes. x32 has
	// short pointers, and long longs: its __kernel_ulong_t is that of x86-64.
	word int

	calls []number // those of the table calls that there are
}

// number is the number of a system call, without the bit of its ABI.
type number struct {
	call string
	nr   uint32
}

// x8664 are the numbers of arch/x86/entry/syscalls/syscall_64.tbl, where all of these are
// "common" to x86-64 and x32.
var x8664 = []number{
	{"sysinfo", 99},
	{"mknod", 133},
	{"mount", 165},
	{"umount2", 166},
	{"sched_getaffinity", 204},
	{"mknodat", 259},
	{"open_tree", 428},
	{"move_mount", 429},
	{"fsopen", 430},
}

// abis are those of the machines that Go programs and their 32-bit guests run on. A call
// from any other is answered with ENOSYS, as the kernel would.
var abis = []abi{
	{name: "x86_64", audit: unix.AUDIT_ARCH_X86_64, word: 8, calls: x8664},
	{name: "x32", audit: unix.AUDIT_ARCH_X86_64, bit: x32Bit, word: 8, calls: x8664},
	{name: "i386", audit: unix.AUDIT_ARCH_I386, word: 4, calls: []number{
		{"mknod", 14},
		{"mount", 21},
		{"umount", 22}, // has no flags; glibc calls umount2
		{"umount2", 52},
		{"sysinfo", 116},
		{"sched_getaffinity", 242},
		{"mknodat", 297},
		{"open_tree", 428},
		{"move_mount", 429},
		{"fsopen", 430},
	}},
	{name: "aarch64", audit: unix.AUDIT_ARCH_AARCH64, word: 8, calls: []number{
		{"mknodat", 33},
		{"umount2", 39},
		{"mount", 40},
		{"sched_getaffinity", 123},
		{"sysinfo", 179},
		{"open_tree", 428},
		{"move_mount", 429},
		{"fsopen", 430},
	}},
	// umount was 22 in the ABI before EABI, which is not supported by arm64 kernels.
	{name: "arm", audit: unix.AUDIT_ARCH_ARM, word: 4, calls: []number{
		{"mknod", 14},
		{"mount", 21},
		{"umount2", 52},
		{"sysinfo", 116},
		{"sched_getaffinity", 242},
		{"mknodat", 324},
		{"open_tree", 428},
		{"move_mount", 429},
		{"fsopen", 430},
	}},
}

// x32Bit is __X32_SYSCALL_BIT.
const x32Bit = 1 << 30

// callOf finds the ABI and the name of what the kernel tells about, seccomp_data.arch and
// seccomp_data.nr. ok is false for a call that is in no table.
func callOf(audit, nr uint32) (call string, a *abi, ok bool) {
	for i := range abis {
		a = &abis[i]
		if a.audit != audit || nr&x32Bit != a.bit {
			continue
		}
		for _, n := range a.calls {
			if n.nr == nr&^a.bit {
				return n.call, a, true
			}
		}
		return "", a, false
	}
	return "", nil, false
}
