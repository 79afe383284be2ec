// Package probe is a test kit for processes: programs that tell a test that they
// live, do what the test tells them, and cannot die unnoticed.
//
// A test binary becomes a probe by calling [Main], which follows a script of
// words. Every probe connects to a socket of the test's [Kit], says hello and
// keeps the connection open until death, when the kernel closes it. So a test
// waits until all it expects have said hello, acts, and sees the end of every
// connection: no process table is polled, nothing sleeps, and a deadline is there
// only to fail.
package probe
