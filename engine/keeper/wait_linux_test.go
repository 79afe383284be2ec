//go:build linux && (amd64 || arm64)

package keeper

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// TestQueued: a thread that waits by raw system calls lets the goroutine run that is queued behind
// it, and that it waits for. If it did not, nothing in its process would go on, so that is a child.
func TestQueued(t *testing.T) {
	const child = "KEEPER_TEST_QUEUED"
	waits := map[string]func(){
		"for a child, with signals": func() {
			var done atomic.Bool
			go done.Store(true)
			k.idle.prepare()
			call := k.idle.call()
			for !done.Load() {
				call(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&k.started.notified)), futexPrivate, 0, 0, 0, 0)
			}
		},
		"for the lock, without signals": func() {
			k.lock.lock()
			go k.lock.unlock()
			k.blockSignals()
			k.lock.lock()
		},
		"for an exec, without signals": func() {
			l := &launch{tid: 1}
			go atomic.StoreUint32(&l.tid, 0)
			k.blockSignals()
			l.wait()
		},
	}
	if wait := waits[os.Getenv(child)]; wait != nil {
		runtime.GOMAXPROCS(1)
		wait()
		return
	}
	for name := range waits {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestQueued$")
			cmd.Env = append(os.Environ(), child+"="+name)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
