#include "textflag.h"

// func vfork(trap, a1, a2 uintptr) (pid uintptr)
//
// The child shares the stack; the return address stays in the link register.
TEXT ·vfork(SB),NOSPLIT|NOFRAME,$0-32
	MOVD	trap+0(FP), R8
	MOVD	a1+8(FP), R0
	MOVD	a2+16(FP), R1
	MOVD	ZR, R2
	MOVD	ZR, R3
	MOVD	ZR, R4
	SVC
	MOVD	R0, pid+24(FP)
	RET
