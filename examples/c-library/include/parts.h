#ifndef PARTS_H
#define PARTS_H

/* Each source defines one function; the test adds them all up. */
#define PARTS(X) \
	X(part01) X(part02) X(part03) X(part04) X(part05) X(part06) X(part07) X(part08) X(part09) X(part10) \
	X(part11) X(part12) X(part13) X(part14) X(part15) X(part16) X(part17) X(part18) X(part19) X(part20) \
	X(part21) X(part22) X(part23) X(part24) X(part25) X(part26) X(part27) X(part28) X(part29) X(part30)

#define DECLARE(name) int name(void);
PARTS(DECLARE)

#endif
