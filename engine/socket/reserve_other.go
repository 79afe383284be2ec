//go:build !linux

package socket

// reservation keeps other runs of weft from a port: not on this system.
type reservation struct{}

func reserve(int) (r reservation, ok bool) { return r, true }

func isReserved(int) bool { return false }

func (reservation) cancel() {}
