package seccomp

// call is a row of the table.
type call struct {
	name   string // in every ABI that has it
	handle func(*request) answer
}

// calls are all that the agent answers.
var calls = []call{
	{"mount", mount},
	{"umount", umount},
	{"umount2", umount2},
	{"fsopen", fsopen},
	{"open_tree", openTree},
	{"move_mount", moveMount},
	{"mknod", mknod},
	{"mknodat", mknodat},
	{"sysinfo", sysinfo},
	{"sched_getaffinity", affinity},
}

// request is a call of a process of the container.
type request struct {
	c    *container
	t    *target
	abi  *abi
	args [6]uint64
}
