#include "go_asm.h"
#include "textflag.h"

// func clone(l *launch, trap, a1, a2, a3, a4, a5 uintptr) (pid uintptr)
//
// The child comes back on the stack of l. It uses none of it: it makes the
// calls of the script, one after the other, until one of them has made it
// another program or ends it.
TEXT ·clone(SB),NOSPLIT,$0-64
	MOVQ	l+0(FP), R12
	MOVQ	trap+8(FP), AX
	MOVQ	a1+16(FP), DI
	MOVQ	a2+24(FP), SI
	MOVQ	a3+32(FP), DX
	MOVQ	a4+40(FP), R10
	MOVQ	a5+48(FP), R8
	SYSCALL
	TESTQ	AX, AX
	JEQ	child
	MOVQ	AX, pid+56(FP)
	RET
child:
	LEAQ	launch_script(R12), R13
next:
	MOVQ	call_mode(R13), BX
	CMPQ	BX, $const_otherwise
	JNE	make
	TESTQ	AX, AX
	JGE	done
make:
	MOVQ	call_number(R13), AX
	MOVQ	(call_args+0)(R13), DI
	MOVQ	(call_args+8)(R13), SI
	MOVQ	(call_args+16)(R13), DX
	MOVQ	(call_args+24)(R13), R10
	SYSCALL
	TESTQ	AX, AX
	JGE	done
	CMPQ	BX, $const_must
	JNE	done
	NEGQ	AX
	MOVQ	R13, launch_failed(R12)
	MOVL	AX, launch_errno(R12)
exit:
	MOVL	$231, AX // exit_group
	MOVL	$127, DI
	SYSCALL
	JMP	exit
done:
	ADDQ	$call__size, R13
	JMP	next
