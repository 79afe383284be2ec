#ifndef HELLO_H
#define HELLO_H

const char *greeting(void);
int letters(const char *text);

#endif
