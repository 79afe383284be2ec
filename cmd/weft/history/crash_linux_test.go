//go:build amd64 || arm64 || 386

package history

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/statefile"
)

// TestKilledAtEveryChange: whenever a recording process is killed before it changes a file, all
// earlier runs remain, and its own as far as it was written; the next run is recorded.
func TestKilledAtEveryChange(t *testing.T) {
	if n, err := strconv.Atoi(os.Getenv("WEFT_TEST_STEPS")); err == nil {
		recordLong(t, Store{State: statefile.Place{Base: os.Getenv("WEFT_TEST_ROOT"), Path: ".weft"}, Keep: 3}, n)
		return
	}
	for name, c := range map[string]struct{ before, steps int }{"first": {0, 4}, "old runs": {3, 4}, "compressed": {1, manySteps + 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stride := 1
			if testing.Short() {
				stride = 5
			}
			reached := -1 // number of its recorded steps
			for n := 1; ; n += stride {
				s, dir := newStore(t)
				s.Keep = 3
				for i := range c.before {
					recordSteps(t, s, fmt.Sprint("before", i), 1, time.Second)
				}
				killed := runKilled(t, s.State.Base, c.steps, n)
				settled := checkKilled(t, s, c.before, killed)
				if settled < reached {
					t.Errorf("killed at %d: %d steps, but %d when it was killed before", n, settled, reached)
				}
				reached = settled
				recordSteps(t, s, "next", 1, time.Second)
				runs, err := s.Runs()
				must(t, err)
				if len(runs) == 0 || runs[0].Result != Succeeded || runs[0].ID != "run-of-next" || runs[0].Number <= c.before {
					t.Errorf("killed at %d: the next run is not there: %s", n, names(t, dir))
				}
				if t.Failed() {
					return
				}
				if !killed {
					if n < 12 || reached != c.steps {
						t.Errorf("%d changes, %d steps recorded", n-1, reached)
					}
					return
				}
			}
		})
	}
}

// recordLong records a run that is long enough for several writes, with output.
func recordLong(t *testing.T, s Store, steps int) {
	w, now := NewWriter(s, nil), time.Now()
	w.Handle(&event.RunStarted{Time: now, Run: "killed-run", Tasks: []string{"killed"}})
	w.Handle(&event.Planned{Time: now, Steps: 4})
	for i := range steps {
		if i == 2 && steps > 4 {
			w.Handle(&event.Planned{Time: now, Steps: steps - 4})
		}
		id := event.StepID(i + 1)
		w.Handle(&event.StepStarted{Time: now, Step: id, Name: "killed", Task: "killed", Key: fmt.Sprintf("%016x", id)})
		w.Handle(&event.Output{Time: now, Step: id, Stream: event.Merged, Data: []byte("output\n")})
		w.Handle(&event.StepSettled{Time: now, Step: id, Name: "killed", Task: "killed", Outcome: event.Succeeded, Duration: time.Second})
		if i < 4 {
			now = now.Add(2 * time.Second)
			w.Tick(now)
		}
	}
	w.Handle(&event.RunFinished{Time: now, Duration: time.Second, Counts: [...]int{event.Succeeded: steps, event.Cancelled: 0}})
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// checkKilled checks the history after the process that recorded the last run has ended, and
// returns the number of its recorded steps. before is the number of earlier runs.
func checkKilled(t *testing.T, s Store, before int, killed bool) (settled int) {
	t.Helper()
	runs, err := s.Runs()
	must(t, err)
	found := 0
	for _, e := range runs {
		f, err := s.Open(e.Number)
		must(t, err)
		steps := 0
		for {
			ev, err := f.Next()
			if err == io.EOF {
				break
			}
			must(t, err)
			switch ev := ev.(type) {
			case *event.StepSettled:
				steps++
			case *event.Output:
				if string(ev.Data) != "output\n" {
					t.Errorf("output %q", ev.Data)
				}
			}
		}
		f.Close()
		if f.Missing > 0 || e.Counts.Settled() != steps {
			t.Errorf("run %d: %d bytes missing, %d steps, %+v", e.Number, f.Missing, steps, e)
		}
		switch {
		case strings.HasPrefix(e.ID, "run-of-before") && e.Result == Succeeded && steps == 1:
			found++
		case e.ID == "killed-run" && (e.Result == Succeeded || e.Result == Killed && killed):
			settled = steps
		default:
			t.Errorf("%+v", e)
		}
	}
	if d := s.Durations().Of("0000000000000001"); d == 0 && (before > 0 || !killed) {
		t.Error("no duration is known")
	}
	// The oldest may have been removed for the last.
	if found < min(before, 2) || found < before && settled == 0 {
		t.Errorf("%d runs of %d that were there before", found, before)
	}
	return settled
}

// runKilled records a run in a separate process, which is killed before its n-th change of a file,
// and reports whether there was one.
func runKilled(t *testing.T, root string, steps, n int) (killed bool) {
	t.Helper()
	runtime.LockOSThread() // the tracing thread
	defer runtime.UnlockOSThread()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledAtEveryChange$")
	cmd.Env = append(os.Environ(), "WEFT_TEST_STEPS="+strconv.Itoa(steps), "WEFT_TEST_ROOT="+root)
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Skip("no process can be traced here: ", err)
	}
	pid := cmd.Process.Pid
	defer cmd.Wait()
	defer cmd.Process.Kill()
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, unix.WALL, nil); err != nil {
		t.Fatal(err)
	}
	must(t, unix.PtraceSetOptions(pid, unix.PTRACE_O_TRACECLONE|unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_EXITKILL))
	must(t, unix.PtraceSyscall(pid, 0))
	for {
		tid, err := unix.Wait4(-1, &status, unix.WALL|unix.WNOTHREAD, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			t.Fatal(err)
		case tid == pid && (status.Exited() || status.Signaled()):
			if !killed && (!status.Exited() || status.ExitStatus() != 0) {
				t.Fatalf("it ended by itself: %v", status)
			}
			return killed
		case !status.Stopped():
			continue
		}
		sig := 0
		switch status.StopSignal() {
		case unix.SIGTRAP | 0x80:
			if call, entered := syscallOf(tid); entered && changes(tid, root, call) {
				if n--; n == 0 {
					killed = true
					cmd.Process.Kill()
				}
			}
		case unix.SIGTRAP, unix.SIGSTOP: // a new thread
		default:
			sig = int(status.StopSignal())
		}
		unix.PtraceSyscall(tid, sig) // fails for one that was killed
	}
}

// syscallInfo is a system call as described by the kernel, struct ptrace_syscall_info.
type syscallInfo struct {
	op     uint8
	_      [3]uint8
	_      uint32 // architecture
	_, _   uint64 // instruction and stack
	number uint64
	args   [6]uint64
}

// syscallOf returns the system call at which a thread has stopped; entered is false at its end.
func syscallOf(tid int) (call syscallInfo, entered bool) {
	const get, entry = 0x420e, 1
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, get, uintptr(tid), unsafe.Sizeof(call), uintptr(unsafe.Pointer(&call)), 0, 0)
	return call, errno == 0 && call.op == entry
}

// changes reports whether a system call changes a file below root.
func changes(tid int, root string, call syscallInfo) bool {
	switch call.number {
	case unix.SYS_OPENAT:
		if call.args[2]&unix.O_CREAT == 0 {
			return false
		}
	case unix.SYS_WRITE, unix.SYS_MKDIRAT, unix.SYS_RENAMEAT, unix.SYS_UNLINKAT, unix.SYS_FTRUNCATE:
	default:
		return false
	}
	at, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", tid, int32(call.args[0])))
	return strings.HasPrefix(at, root)
}
