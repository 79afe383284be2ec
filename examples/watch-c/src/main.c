#include "greet.h"

int main(void) {
	greet(NAME);
	return 0;
}
