#include "textflag.h"

// func vfork(trap, a1, a2 uintptr) (pid uintptr)
//
// The child shares the stack: what it calls overwrites the return address of
// this frame before the parent comes back, so that is kept in a register.
TEXT ·vfork(SB),NOSPLIT|NOFRAME,$0-32
	MOVQ	trap+0(FP), AX
	MOVQ	a1+8(FP), DI
	MOVQ	a2+16(FP), SI
	XORL	DX, DX
	XORL	R10, R10
	XORL	R8, R8
	POPQ	R12
	SYSCALL
	PUSHQ	R12
	MOVQ	AX, pid+24(FP)
	RET
