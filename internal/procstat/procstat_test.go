package procstat

import (
	"os"
	"runtime"
	"strings"
	"testing"
)

const line = "4711 (a) (b c) S 12 34 56 34820 34 4194368 90 0 0 0 7 5 0 0 20 0 1 0 98765 2236416 183 18446744073709551615 1 1 0 0\n"

func TestParse(t *testing.T) {
	s, ok := Parse([]byte(line))
	if !ok || string(s.Name) != "a) (b c" || s.State != 'S' || s.Dead() || s.Parent != 12 || s.Group != 34 || s.Session != 56 ||
		s.Flags != 4194368 || s.CPU != 12 || s.Started != 98765 {
		t.Errorf("%+v, %t", s, ok)
	}
	if s, ok := Parse([]byte(strings.Replace(strings.Replace(line, " S ", " Z ", 1), " 34820 34 ", " 0 -1 ", 1))); !ok || !s.Dead() || s.Flags != 4194368 {
		t.Errorf("a zombie without a terminal: %+v, %t", s, ok)
	}
	for n := range strings.Index(line, "98765") {
		if s, ok := Parse([]byte(line[:n])); ok {
			t.Fatalf("%q is %+v", line[:n], s)
		}
	}
}

// TestParseOwn parses the kernel's text for this process.
func TestParseOwn(t *testing.T) {
	text, err := os.ReadFile("/proc/self/stat")
	if runtime.GOOS != "linux" || err != nil {
		t.Skip("no /proc here")
	}
	if s, ok := Parse(text); !ok || int(s.Parent) != os.Getppid() || s.State != 'R' && s.State != 'S' || s.Started == 0 {
		t.Errorf("%s is %+v", text, s)
	}
	if n := testing.AllocsPerRun(10, func() { Parse(text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
