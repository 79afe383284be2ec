// Package socket owns the ports and listening sockets that programs get from weft: it finds
// ports that are free, opens sockets that outlive the programs that accept their connections,
// and finds the owner of an address in use. It knows nothing of tasks.
//
// # How a port stays free until its program takes it
//
// A port is only a number: between the look whether it is free and the moment when the program
// listens, any program may take it. To listen at it meanwhile is no way out, since then the program
// could not; neither is a socket that is bound and does not listen, which keeps out the program
// as well unless that sets SO_REUSEADDR. So a number is kept from those who could be kept from
// it, and chosen so that others seldom want it:
//
//   - From other steps: [Ports] reserves assigned ports until they are released.
//   - From other runs of weft on this machine: on Linux each number is reserved by a name in the
//     abstract namespace of Unix sockets, which belongs to the network namespace as ports do, and
//     which the kernel gives back however weft ends.
//   - From the kernel, which gives any free port of its own range to clients: where any port
//     will do, it is taken from below the range that Linux, macOS and Windows have by default.
//
// What is left is a program that does not ask and wants the same number in the moment between.
package socket
