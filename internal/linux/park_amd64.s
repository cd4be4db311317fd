#include "textflag.h"

// Linux system call numbers and constants used below.
#define SYS_pause   34
#define SYS_getpid  39
#define SYS_clone   56
#define SYS_exit    60
#define SYS_kill    62
#define SYS_getppid 110
#define SYS_prctl   157
#define SYS_setns   308
#define PR_SET_PDEATHSIG 1
#define SIGKILL          9
#define SIGSTOP          19
#define CLONE_NEWUSER    0x10000000

// func cloneParked(flags, ppid uintptr, join int) (pid int)
//
// The child shares memory and stack pointer with the caller. It touches
// neither: it lives in registers until it is killed.
TEXT ·cloneParked(SB), NOSPLIT, $0-32
	MOVQ flags+0(FP), DI
	MOVQ ppid+8(FP), R12
	MOVQ join+16(FP), R13
	XORL SI, SI  // stack: unused
	XORL DX, DX  // parent_tid
	XORL R10, R10 // child_tid
	XORL R8, R8  // tls
	MOVL $SYS_clone, AX
	SYSCALL
	TESTQ AX, AX
	JZ   child
	MOVQ AX, pid+24(FP)
	RET

child:
	// Into the user namespace first: that may take the next setting back.
	TESTQ R13, R13
	JS   joined
	MOVQ R13, DI
	MOVL $CLONE_NEWUSER, SI
	MOVL $SYS_setns, AX
	SYSCALL
	TESTQ AX, AX
	JNZ  fail

joined:
	// Die with the parent; leave if it is dead already.
	MOVL $PR_SET_PDEATHSIG, DI
	MOVL $SIGKILL, SI
	MOVL $SYS_prctl, AX
	SYSCALL
	MOVL $SYS_getppid, AX
	SYSCALL
	CMPQ AX, R12
	JNE  exit
	TESTQ R13, R13
	JS   park

	// Tell the parent, who waits for it.
	MOVL $SYS_getpid, AX
	SYSCALL
	MOVQ AX, DI
	MOVL $SIGSTOP, SI
	MOVL $SYS_kill, AX
	SYSCALL

park:
	MOVL $SYS_pause, AX
	SYSCALL
	JMP  park

fail:
	NEGQ AX // the errno, for the parent
	MOVQ AX, DI
	JMP  leave

exit:
	XORL DI, DI

leave:
	MOVL $SYS_exit, AX
	SYSCALL
	JMP  leave
