#define NAME "world"
void greet(const char *name);
