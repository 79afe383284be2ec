#include "hello.h"

int letters(const char *text) {
    int n = 0;
    while (text[n] != '\0')
        n++;
    return n;
}
