#include <stdio.h>

#include "hello.h"

int main(void) {
    printf("%s, %d letters\n", greeting(), letters(greeting()));
    return 0;
}
