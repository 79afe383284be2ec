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

// hangupIgnored reports whether weft was started with SIGHUP ignored, and so all programs
// ignore it.
var hangupIgnored = sync.OnceValue(func() bool { return signal.Ignored(syscall.SIGHUP) })

// noteNohup notes that g uses nohup, if argv or a script in it mentions nohup. That matters
// only if all programs ignore SIGHUP: otherwise a process that nohup has started is
// recognised by that.
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

// mentions reports whether the first 64 KiB of a script mention nohup.
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
