package remote

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/internal/fifo"
)

// program is a file that is sent as the runner.
type program struct {
	path   string
	digest cache.Digest
}

// partSize is the size in bytes of the parts in which a program is read: all of a large one is dear to
// have in memory.
const partSize = 256 << 10

// loadProgram returns the program at path, if it can be the runner on machines of a platform.
func loadProgram(path string, platform cache.Platform) (*program, error) {
	f, err := fifo.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var d description
	hash := sha256.New()
	size, kept := int64(0), 0 // kept is the length of the end of the last part, with which the next one begins
	for b := make([]byte, partSize); err == nil; {
		var n int
		n, err = io.ReadFull(f, b[kept:])
		part := b[:kept+n]
		hash.Write(part[kept:])
		if size == 0 {
			d.kind, d.machine, d.loader = describeProgram(part)
		}
		d.marked = d.marked || bytes.Contains(part, []byte(Marker))
		kept = copy(b, part[max(0, len(part)-len(Marker)):])
		size += int64(n)
	}
	if err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	if err := d.check(platform); err != nil {
		return nil, err
	}
	return &program{path, cache.Digest{Hash: [sha256.Size]byte(hash.Sum(nil)), Size: size}}, nil
}

// description is what matters of a program.
type description struct {
	kind, machine string // in the words of REAPI; "" if unknown
	loader        bool   // it needs a dynamic loader
	marked        bool   // it contains Marker
}

// check returns why the program cannot be the runner on machines of a platform. What the
// platform does not say is that of this machine.
func (d *description) check(platform cache.Platform) error {
	family, isa := systemOf(platform)
	switch {
	case d.kind == "":
		return errors.New("it is no program for Linux or macOS")
	case d.kind != family || d.machine != isa:
		return fmt.Errorf("it is a program for %s/%s", d.kind, d.machine)
	case d.loader:
		return errors.New("it needs a dynamic loader, which need not be there: build it with CGO_ENABLED=0")
	case !d.marked:
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

// describeProgram returns, in the words of REAPI, for which machines the program is that begins with b,
// and whether it needs a dynamic loader. kind is "" if it is none that weft knows.
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
	// Headers that are not at the beginning were put elsewhere for another loader.
	return "linux", elfMachines[order.Uint16(b[18:])], loader || n > 0
}

// self returns the path of the running program.
func self() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("weft does not find its own program; is /proc mounted? %w", err)
	}
	return path, nil
}
