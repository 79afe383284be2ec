package remote

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/cache"
)

// elf returns a program for Linux on a machine, with program headers of these types.
func elf(machine uint16, types ...uint32) []byte {
	b := make([]byte, elfHead)
	copy(b, "\x7fELF\x02\x01")
	binary.LittleEndian.PutUint16(b[18:], machine)
	binary.LittleEndian.PutUint64(b[32:], elfHead)
	binary.LittleEndian.PutUint16(b[54:], 56)
	binary.LittleEndian.PutUint16(b[56:], uint16(len(types)))
	for _, t := range types {
		b = append(binary.LittleEndian.AppendUint32(b, t), make([]byte, 52)...)
	}
	return append(b, "…weft-act/1…"...)
}

// markedAt returns a program for Linux that contains Marker at an offset alone.
func markedAt(offset int) []byte {
	b := elf(62)
	copy(b[elfHead:], strings.Repeat("-", len(b)))
	b = append(b, make([]byte, offset-len(b))...)
	return append(append(b, Marker...), "the end"...)
}

func TestRunners(t *testing.T) {
	dir := t.TempDir()
	mac := append([]byte{0xcf, 0xfa, 0xed, 0xfe, 0x0c, 0, 0, 1}, "weft-act/1"...)
	linux := cache.Platform{{Name: "OSFamily", Value: "Linux"}, {Name: "ISA", Value: "x86-64"}}
	for name, tt := range map[string]struct {
		program  []byte
		platform cache.Platform
		want     string
	}{
		"fits":                           {elf(62, 1, 1), linux, ""},
		"machine":                        {elf(183), linux, "it is a program for linux/arm-a64"},
		"arm":                            {elf(183), cache.Platform{{Name: "OSFamily", Value: "linux"}, {Name: "ISA", Value: "arm-a64"}}, ""},
		"mac":                            {mac, linux, "it is a program for macos/arm-a64"},
		"for mac":                        {mac, cache.Platform{{Name: "OSFamily", Value: "macos"}, {Name: "ISA", Value: "arm-a64"}}, ""},
		"loader":                         {elf(62, 1, elfInterp), linux, "it needs a dynamic loader"},
		"other":                          {elf(62)[:elfHead], linux, "it is not weft, or too old"},
		"script":                         {[]byte("#!/bin/sh\n"), linux, "it is no program"},
		"empty":                          {nil, linux, "it is no program"},
		"cut off":                        {elf(62, 1, 3)[:elfHead+10], linux, "it needs a dynamic loader"},
		"marked at the end of a part":    {markedAt(partSize - len(Marker)), linux, ""},
		"marked in two parts":            {markedAt(partSize - 3), linux, ""},
		"marked at the beginning of one": {markedAt(partSize), linux, ""},
		"marked far behind":              {markedAt(3*partSize + 1), linux, ""},
		"unknown":                        {elf(9999), linux, "it is a program for linux/"},
		"some 32":                        {append([]byte("\x7fELF\x01\x01"), make([]byte, 100)...), linux, "it is no program"},
		"headless":                       {[]byte("\x7fELF\x02\x01"), linux, "it is no program"},
	} {
		got := ""
		file := filepath.Join(dir, "runner")
		if err := os.WriteFile(file, tt.program, 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := loadProgram(file, tt.platform); err != nil {
			got = err.Error()
		} else if p.digest != cache.DigestOf(tt.program) {
			t.Errorf("%s: got %s", name, p.digest)
		}
		if !strings.HasPrefix(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestLoadProgram(t *testing.T) {
	file := filepath.Join(t.TempDir(), "weft")
	b := elf(62)
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	linux := cache.Platform{{Name: "OSFamily", Value: "linux"}, {Name: "ISA", Value: "x86-64"}}
	if p, err := loadProgram(file, linux); err != nil || p.digest != cache.DigestOf(b) || p.path != file {
		t.Errorf("got %+v, %v", p, err)
	}
	if _, err := loadProgram(file+"none", linux); err == nil {
		t.Error("a file that is not there was loaded")
	}
}

// BenchmarkLoadProgram loads a program of 16 MiB.
func BenchmarkLoadProgram(b *testing.B) {
	file := filepath.Join(b.TempDir(), "weft")
	if err := os.WriteFile(file, append(elf(62), make([]byte, 16<<20)...), 0o600); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := loadProgram(file, cache.Platform{{Name: "OSFamily", Value: "linux"}, {Name: "ISA", Value: "x86-64"}}); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzDescribeProgram(f *testing.F) {
	f.Add(elf(62, 1, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		if kind, _, loader := describeProgram(b); loader && kind != "linux" {
			t.Errorf("%q: %s", b, kind)
		}
	})
}
