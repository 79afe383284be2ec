// Package probe is a test kit for processes: programs that report to a test that they live, obey
// its commands, and cannot die unnoticed.
//
// A test binary becomes a probe by calling [Main], which follows a script of
// words. Every probe connects to a socket of the test's [Kit], says hello and
// keeps the connection open until death, when the kernel closes it. So a test waits until all
// expected probes have said hello, acts, and detects the end of every connection: no process table
// is polled, nothing sleeps, and a deadline only serves to fail.
package probe
