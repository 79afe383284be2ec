package socket

import (
	"strconv"
	"syscall"
)

// reservation keeps other runs of weft from a port, as long as weft lives. It is a descriptor.
type reservation int

// reserve reports whether no other run of weft has a port, and reserves it. On an error it is
// assumed to be free.
func reserve(port int) (reservation, bool) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, true
	}
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: "@weft/port/" + strconv.Itoa(port)}); err != nil {
		syscall.Close(fd)
		return -1, err != syscall.EADDRINUSE
	}
	return reservation(fd), true
}

// isReserved reports whether a run of weft has a port.
func isReserved(port int) bool {
	r, ok := reserve(port)
	r.cancel()
	return !ok
}

func (r reservation) cancel() {
	if r >= 0 {
		syscall.Close(int(r))
	}
}
