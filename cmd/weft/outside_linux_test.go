package main

import (
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestShutdown: a signal to weft, its keeper and all programs at once, as from a service manager or
// at the shutdown of a container, causes an ordinary stop: commands get the signal and their grace,
// and deferred commands run.
func TestShutdown(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		for _, first := range []string{"weft", "keeper"} {
			t.Run(sig.String()+" to "+first+" first", func(t *testing.T) {
				t.Parallel()
				name := unix.SignalName(sig)[len("SIG"):]
				s := newSurvivors(t, "tasks:\n  default: {stop: {grace: 60s}, cmds: [{defer: probe D hold}, 'probe A count:"+name+" fork:B,setsid,clean,hold hold']}\n")
				s.start()
				a := s.probes.Accept("A", "B")[0]
				keeper := keeperOf(s.Process.Pid)
				if keeper == 0 {
					t.Fatal("no keeper")
				}
				for range 20 {
					syscall.Kill(keeper, sig)
				}
				if first == "keeper" {
					a.Do("write:0") // it would be dead
				}
				s.Process.Signal(sig)
				a.Expect(name + " 1")
				syscall.Kill(keeper, sig)
				a.Send("exit:0")
				d := s.probes.Accept("D")[0]
				syscall.Kill(keeper, sig)
				d.Send("exit:0")
				s.Wait()
				s.gone(0)
				if got := s.ProcessState.Sys().(syscall.WaitStatus); !got.Signaled() || got.Signal() != sig {
					t.Errorf("ended with %v", s.ProcessState)
				}
			})
		}
	}
}

// TestKeeperStopped: a keeper stopped by a signal keeps no process alive, and makes none wait.
func TestKeeperStopped(t *testing.T) {
	for name, tt := range map[string]struct {
		signal syscall.Signal // to weft
		ends   string
	}{
		"weft killed":     {syscall.SIGKILL, "signal: killed"},
		"weft told":       {syscall.SIGTERM, "signal: terminated"},
		"weft interrupts": {syscall.SIGINT, "signal: interrupt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSurvivors(t, "tasks:\n  default: VICTIM hold\n")
			s.start()
			s.probes.Accept("A", "B", "C", "D")
			keeper := keeperOf(s.Process.Pid)
			if keeper == 0 {
				t.Fatal("no keeper")
			}
			syscall.Kill(keeper, syscall.SIGSTOP)
			s.Process.Signal(tt.signal)
			s.Wait()
			s.gone(patience)
			if got := s.ProcessState.String(); got != tt.ends {
				t.Errorf("ended with %q, want %q", got, tt.ends)
			}
		})
	}
	t.Run("weft stopped before", func(t *testing.T) {
		t.Parallel()
		s := newSurvivors(t, "tasks:\n  default: VICTIM hold\n")
		s.start()
		s.probes.Accept("A", "B", "C", "D")
		keeper := keeperOf(s.Process.Pid)
		s.Process.Signal(syscall.SIGSTOP)
		if !eventually(func() bool { return stopped(s.Process.Pid) }) {
			t.Error("weft does not stop")
		}
		syscall.Kill(keeper, syscall.SIGSTOP)
		s.Process.Kill()
		s.Wait()
		s.gone(patience)
	})
	t.Run("nobody ends", func(t *testing.T) {
		t.Parallel()
		s := newSurvivors(t, "tasks: {default: [probe A hold, probe B hold]}\n")
		s.start()
		a := s.probes.Accept("A")[0]
		keeper := keeperOf(s.Process.Pid)
		for range 10 {
			syscall.Kill(keeper, syscall.SIGSTOP)
		}
		a.Send("exit:0")
		s.probes.Accept("B")[0].Send("exit:0")
		if err := s.Wait(); err != nil {
			t.Error(err)
		}
	})
	t.Run("traced", func(t *testing.T) {
		t.Parallel()
		s := newSurvivors(t, "tasks:\n  default: VICTIM hold\n")
		s.start()
		s.probes.Accept("A", "B", "C", "D")
		keeper := keeperOf(s.Process.Pid)
		traced, over := make(chan error), make(chan struct{})
		go func() {
			runtime.LockOSThread() // the tracer is a thread
			traced <- unix.PtraceAttach(keeper)
			<-over // and never hears of its end
		}()
		if err := <-traced; err != nil {
			s.Process.Kill()
			s.Wait()
			t.Skip("tracing is forbidden here: ", err)
		}
		s.Process.Signal(syscall.SIGTERM)
		s.Wait()
		s.gone(patience)
		close(over)
	})
}
