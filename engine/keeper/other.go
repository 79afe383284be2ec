//go:build !linux || !(amd64 || arm64)

package keeper

// Available tells that this system has KEEPER. Elsewhere programs are started
// by weft itself, and what they leave behind is not followed.
const Available = false
