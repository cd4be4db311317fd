#include "textflag.h"

#define SYS_clone 56
#define SYS_exit  60
#define MAX_ERRNO 4095

// func forkCalls(flags uintptr, calls *childCall, n int) (pid int)
//
// The child shares memory and stack pointer with the caller. It uses no stack, and of
// memory only calls: number, six arguments, result, each of 8 bytes.
TEXT ·forkCalls(SB), NOSPLIT, $0-32
	MOVQ flags+0(FP), DI
	MOVQ calls+8(FP), R12
	MOVQ n+16(FP), R13
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
	TESTQ R13, R13
	JZ   exit
	MOVQ 0(R12), AX
	MOVQ 8(R12), DI
	MOVQ 16(R12), SI
	MOVQ 24(R12), DX
	MOVQ 32(R12), R10
	MOVQ 40(R12), R8
	MOVQ 48(R12), R9
	SYSCALL
	MOVQ AX, 56(R12)
	CMPQ AX, $-MAX_ERRNO
	JCC  exit // above or equal: an error
	ADDQ $64, R12
	DECQ R13
	JMP  child

exit:
	XORL DI, DI
	MOVL $SYS_exit, AX
	SYSCALL
	JMP  exit
