//go:build !linux || !(amd64 || arm64)

package keeper

// Available means that this system has KEEPER. Elsewhere programs are started
// by weft itself, and leftover processes are not tracked.
const Available = false
