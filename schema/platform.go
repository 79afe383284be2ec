package schema

import (
	"slices"
	"strings"

	"github.com/weftrun/weft/schema/yaml"
)

func (d *decoder) platforms(n *yaml.Node) []Platform {
	return list(d, n, "platforms", func(it *yaml.Node) Platform {
		t := d.text(it)
		p, ok := parsePlatform(t.S)
		if !ok && t.Pos.IsValid() {
			d.fail(it, "write an operating system, an architecture or both, as Go names them: linux, arm64, darwin/arm64", "invalid platform %q", t.S)
		}
		return p
	})
}

// parsePlatform reads "os", "arch" or "os/arch".
func parsePlatform(s string) (p Platform, ok bool) {
	os, arch, both := strings.Cut(s, "/")
	switch {
	case both:
		return Platform{os, arch}, slices.Contains(systems[:], os) && slices.Contains(architectures[:], arch)
	case slices.Contains(systems[:], s):
		return Platform{OS: s}, true
	}
	return Platform{Arch: s}, slices.Contains(architectures[:], s)
}

// systems are the operating systems that Go names, and one that no machine has.
var systems = [...]string{
	"aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos", "ios", "js", "linux", "nacl",
	"netbsd", "openbsd", "plan9", "solaris", "wasip1", "windows", "zos", "__test__",
}

// architectures are the architectures that Go supports.
var architectures = [...]string{
	"386", "amd64", "amd64p32", "arm", "armbe", "arm64", "arm64be", "loong64", "mips", "mipsle", "mips64",
	"mips64le", "mips64p32", "mips64p32le", "ppc", "ppc64", "ppc64le", "riscv", "riscv64", "s390", "s390x",
	"sparc", "sparc64", "wasm",
}
