#include <stdio.h>

#include "parts.h"

#define ADD(name) + name()

int main(void)
{
	printf("sum of all parts: %d\n", 0 PARTS(ADD));
	return 0;
}
