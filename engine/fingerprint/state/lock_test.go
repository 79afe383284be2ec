package state

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Two processes at once, each with its own store.
func TestTwoProcesses(t *testing.T) {
	r := newRig(t)
	one, two := r.open(), r.open()
	k := KeyOf("1", "k")
	unlock, ok := one.TryLock(k, "")
	if !ok {
		t.Fatal("the lock is not free")
	}
	if _, ok := two.TryLock(k, ""); ok {
		t.Fatal("the lock is free for two")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	if _, err := two.Lock(ctx, k, "", nil); err == nil {
		t.Fatal("two locks")
	}
	cancel()
	var told atomic.Pointer[string]
	done := make(chan bool)
	go func() {
		unlock, err := two.Lock(t.Context(), k, "", func(holder string) { told.Store(&holder) })
		if err != nil {
			t.Error(err)
		}
		_, recorded := two.Get(k)
		unlock()
		done <- recorded
	}()
	for deadline := time.Now().Add(10 * time.Second); told.Load() == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("who waits does not say so")
		}
	}
	one.Put(k, []byte("head"), nil)
	unlock()
	if !<-done {
		t.Error("the second does not see what the first has recorded")
	}
	if got := *told.Load(); got != "process "+strconv.Itoa(os.Getpid()) {
		t.Errorf("holder %q", got)
	}
	for _, left := range r.names("locks/*") {
		if !strings.HasSuffix(left, ".free") {
			t.Errorf("left: %v", left)
		}
	}
}

// TestLockWithoutHolder: a lock whose holder cannot be read is just being taken or released. It is
// not one that this process waits for in vain.
func TestLockWithoutHolder(t *testing.T) {
	r := newRig(t)
	one := r.open()
	var asked []string
	r.o.InStep = func(step string) bool {
		asked = append(asked, step)
		return step == ""
	}
	two := r.open()
	k := KeyOf("1", "k")
	unlock, ok := one.TryLock(k, "run.1")
	if !ok {
		t.Fatal("the lock is not free")
	}
	file := filepath.Join("locks", k.String())
	waits := make(chan error)
	go func() {
		release, err := two.Lock(t.Context(), k, "run.2", func(string) {
			r.write(file, nil) // as it is before the next holder writes its name
			time.AfterFunc(100*time.Millisecond, unlock)
		})
		if err == nil {
			release()
		}
		waits <- err
	}()
	if err := <-waits; err != nil {
		t.Error(err)
	}
	if want := []string{"run.1"}; !slices.Equal(asked, want) {
		t.Errorf("asked about %q, want %q", asked, want)
	}
}
