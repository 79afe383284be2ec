package remote

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/internal/fifo"
	"github.com/weftrun/weft/internal/limit"
)

// program is a file that is sent as the runner.
type program struct {
	path   string
	digest cache.Digest
}

// maxProgram is the maximum size of a runner in bytes.
const maxProgram = 1 << 30

// loadProgram returns the program at path, if it can be the runner on machines of a platform.
func loadProgram(path string, platform cache.Platform) (*program, error) {
	b, err := fifo.ReadRegular(path, maxProgram, limit.Bytes("a runner", maxProgram))
	if err != nil {
		return nil, err
	}
	if err := checkProgram(b, platform); err != nil {
		return nil, err
	}
	return &program{path, cache.DigestOf(b)}, nil
}

// checkProgram returns why the program b cannot be the runner on machines of a platform. What the
// platform does not say is that of this machine.
func checkProgram(b []byte, platform cache.Platform) error {
	family, isa := systemOf(platform)
	kind, machine, loader := describeProgram(b)
	switch {
	case kind == "":
		return errors.New("it is no program for Linux or macOS")
	case kind != family || machine != isa:
		return fmt.Errorf("it is a program for %s/%s", kind, machine)
	case loader:
		return errors.New("it needs a dynamic loader, which need not be there: build it with CGO_ENABLED=0")
	case !bytes.Contains(b, []byte(Marker)):
		return errors.New("it is not weft, or too old: it does not contain " + Marker)
	}
	return nil
}

// Constants of the formats ELF and Mach-O.
const (
	elfHead      = 64 // bytes of a header of 64 bits
	elfInterp    = 3  // type of the program header that names a dynamic loader
	machoMagic64 = 0xfeedfacf
)

var elfMachines = map[uint16]string{3: "x86-32", 40: "arm-a32", 62: "x86-64", 183: "arm-a64"}

var machoMachines = map[uint32]string{0x01000007: "x86-64", 0x0100000c: "arm-a64"}

// describeProgram returns, in the words of REAPI, for which machines the program b is, and whether it
// needs a dynamic loader. kind is "" if it is none that weft knows.
func describeProgram(b []byte) (kind, machine string, loader bool) {
	order := binary.LittleEndian
	if len(b) >= 8 && order.Uint32(b) == machoMagic64 {
		// All programs of macOS need its loader, which is always there.
		return "macos", machoMachines[order.Uint32(b[4:])], false
	}
	// 64 bits, little-endian, as on all machines that weft is built for, except small ones.
	if len(b) < elfHead || !bytes.HasPrefix(b, []byte("\x7fELF\x02\x01")) {
		return "", "", false
	}
	at, size, n := order.Uint64(b[32:]), uint64(order.Uint16(b[54:])), uint64(order.Uint16(b[56:]))
	for ; n > 0 && size >= 4 && at <= uint64(len(b)) && uint64(len(b))-at >= size; n, at = n-1, at+size {
		loader = loader || order.Uint32(b[at:]) == elfInterp
	}
	return "linux", elfMachines[order.Uint16(b[18:])], loader
}

// self returns the path of the running program.
func self() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("weft does not find its own program; is /proc mounted? %w", err)
	}
	return path, nil
}
