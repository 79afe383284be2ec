#include "textflag.h"

// func disregardPC() uintptr
TEXT ·disregardPC(SB),NOSPLIT,$0-8
	LEAQ	·disregard(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

// disregard is a signal handler: it returns to where the kernel said, which ends
// the signal.
TEXT ·disregard(SB),NOSPLIT|NOFRAME,$0-0
	RET
