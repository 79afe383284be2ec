//go:build unix

package proc

import (
	"bytes"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// hangupIgnored reports whether weft was started with SIGHUP ignored, and so all
// programs are.
var hangupIgnored = sync.OnceValue(func() bool { return signal.Ignored(syscall.SIGHUP) })

// noteNohup remembers that g uses nohup if a program is it, names it, or is the
// interpreter of a file that does. It matters only where what nohup does cannot be
// seen in a process: where all programs ignore SIGHUP.
func (g *Group) noteNohup(dir string, argv []string) {
	if !hangupIgnored() {
		return
	}
	for _, arg := range argv {
		if strings.Contains(arg, nohup) || mentions(filepath.Join(dir, arg)) || mentions(arg) {
			g.t.mu.Lock()
			g.t.nohup = append(g.t.nohup, g)
			g.t.mu.Unlock()
			return
		}
	}
}

const nohup = "nohup"

// mentions reports whether a script mentions nohup, in its first part.
func mentions(file string) bool {
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, 64<<10))
	return bytes.IndexByte(b, 0) < 0 && bytes.Contains(b, []byte(nohup))
}
