#include "textflag.h"

// Linux system call numbers and constants used below.
#define SYS_pause   34
#define SYS_clone   56
#define SYS_exit    60
#define SYS_getppid 110
#define SYS_prctl   157
#define PR_SET_PDEATHSIG 1
#define SIGKILL          9

// func cloneParked(flags, ppid uintptr) (pid int)
//
// The child shares memory and stack pointer with the caller. It touches
// neither: it lives in registers until it is killed.
TEXT ·cloneParked(SB), NOSPLIT, $0-24
	MOVQ flags+0(FP), DI
	MOVQ ppid+8(FP), R12
	XORL SI, SI  // stack: unused
	XORL DX, DX  // parent_tid
	XORL R10, R10 // child_tid
	XORL R8, R8  // tls
	MOVL $SYS_clone, AX
	SYSCALL
	TESTQ AX, AX
	JZ   child
	MOVQ AX, pid+16(FP)
	RET

child:
	// Die with the parent; leave if it is dead already.
	MOVL $PR_SET_PDEATHSIG, DI
	MOVL $SIGKILL, SI
	MOVL $SYS_prctl, AX
	SYSCALL
	MOVL $SYS_getppid, AX
	SYSCALL
	CMPQ AX, R12
	JNE  exit

park:
	MOVL $SYS_pause, AX
	SYSCALL
	JMP  park

exit:
	XORL DI, DI
	MOVL $SYS_exit, AX
	SYSCALL
	JMP  exit
