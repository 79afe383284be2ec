#include "go_asm.h"
#include "textflag.h"

// func clone(l *launch, trap, a1, a2, a3, a4, a5 uintptr) (pid uintptr)
//
// The child comes back on the stack of l. It uses none of it: it makes the
// calls of the script, one after the other, until one of them has made it
// another program or ends it.
TEXT ·clone(SB),NOSPLIT,$0-64
	MOVD	l+0(FP), R19
	MOVD	trap+8(FP), R8
	MOVD	a1+16(FP), R0
	MOVD	a2+24(FP), R1
	MOVD	a3+32(FP), R2
	MOVD	a4+40(FP), R3
	MOVD	a5+48(FP), R4
	SVC
	CBZ	R0, child
	MOVD	R0, pid+56(FP)
	RET
child:
	MOVD	$launch_script, R20
	ADD	R19, R20
next:
	MOVD	call_mode(R20), R21
	CMP	$const_otherwise, R21
	BNE	make
	CMP	$0, R0
	BGE	done
make:
	MOVD	call_number(R20), R8
	MOVD	(call_args+0)(R20), R0
	MOVD	(call_args+8)(R20), R1
	MOVD	(call_args+16)(R20), R2
	MOVD	(call_args+24)(R20), R3
	SVC
	CMP	$0, R0
	BGE	done
	CMP	$const_must, R21
	BNE	done
	NEG	R0, R0
	MOVD	R20, launch_failed(R19)
	MOVW	R0, launch_errno(R19)
exit:
	MOVD	$94, R8 // exit_group
	MOVD	$127, R0
	SVC
	B	exit
done:
	ADD	$call__size, R20
	B	next
