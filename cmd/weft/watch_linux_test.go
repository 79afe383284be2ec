package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestWatch: which changes make a task run again, and which do not.
func TestWatch(t *testing.T) { calmAndStorm(t, testWatch) }

func testWatch(t *testing.T) {
	w := newWatched(t, map[string]string{"Taskfile.yml": buildTask, "src/a": "one\n"}, "-w", "build")
	w.next("watch_ended")
	w.has("out", "one\n")

	w.write("src/a", "two\n")
	w.triggered("src/a")
	w.has("out", "two\n")

	// An editor writes another file and renames it.
	w.write("tmp", "three\n")
	if err := os.Rename(filepath.Join(w.dir, "tmp"), filepath.Join(w.dir, "src/a")); err != nil {
		t.Fatal(err)
	}
	w.triggered("src/a")
	w.has("out", "three\n")

	// No relevant change: the source is touched, or its content is written again, or a file that is
	// ignored or no source changes.
	now := time.Now()
	os.Chtimes(filepath.Join(w.dir, "src/a"), now, now)
	os.Chmod(filepath.Join(w.dir, "src/a"), 0o600)
	w.write("src/a", "three\n")
	w.write("other", "x")
	w.write("src/node_modules/b", "x")
	w.write("src/.git/b", "x")

	// A directory with files is added.
	w.write("src/new/deep/b", "four\n")
	w.next("watch_triggered")
	w.has("out", "three\nfour\n")
	w.next("watch_ended")
	w.write("src/new/deep/b", "five\n")
	w.triggered("src/new/deep/b")

	// Sources are removed.
	if err := os.RemoveAll(filepath.Join(w.dir, "src/new")); err != nil {
		t.Fatal(err)
	}
	w.next("watch_triggered")
	w.has("out", "three\n")
	w.next("watch_ended")
	if got := w.stop(syscall.SIGINT); got != "exit status 0" {
		t.Errorf("it ended with %s", got)
	}
}

// TestWatchFailure: after a failed run, or with an invalid Taskfile, watching continues, and the
// error is reported.
func TestWatchFailure(t *testing.T) { calmAndStorm(t, testWatchFailure) }

func testWatchFailure(t *testing.T) {
	const tasks = "includes: {sub: sub}\ntasks:\n  check: {sources: [in], cmds: ['grep -q good in', 'cp in out']}\n"
	w := newWatched(t, map[string]string{"Taskfile.yml": tasks, "sub/Taskfile.yml": "tasks: {x: 'true'}\n", "in": "bad"}, "-w", "check")
	if ev := w.next("watch_ended"); ev.Error == "" {
		t.Error("it did not fail")
	}
	w.write("in", "good")
	w.triggered("in")
	w.has("out", "good")

	w.write("Taskfile.yml", tasks+"  broken: [\n")
	w.next("watch_failed")
	w.write("in", "good still")
	w.next("watch_triggered")
	w.has("out", "good still")
	w.next("watch_ended")

	w.write("Taskfile.yml", strings.Replace(tasks, "cp in out", "cp in other", 1))
	w.next("watch_ended")
	w.has("other", "good still")
	w.idle() // writing a file may cause two events
	// An included file that does not define the task.
	w.write("sub/Taskfile.yml", "tasks: {x: 'false'}\n")
	w.write("in", "good at last")
	w.triggered("in")
	w.has("other", "good at last")
}

// TestWatchNeeds: each run in watch mode executes a plan: needs first, each once.
func TestWatchNeeds(t *testing.T) { calmAndStorm(t, testWatchNeeds) }

func testWatchNeeds(t *testing.T) {
	w := newWatched(t, map[string]string{"a": "1", "Taskfile.yml": `tasks:
  all: {deps: [left, right], cmds: [{task: called}]}
  left: {deps: [base], cmds: ['true']}
  right: {deps: [base], cmds: ['true']}
  base: {run: once, cmds: ['echo base >>log']}
  called: {sources: [a], generates: [b], cmds: ['cp a b; echo called >>log']}
`}, "-w", "all")
	w.next("watch_ended")
	w.has("log", "base\ncalled\n")
	w.write("a", "2")
	w.triggered("a")
	w.has("log", "base\ncalled\nbase\ncalled\n")
	w.has("b", "2")
}

// TestOnChange: the effect of a change on a running task.
func TestOnChange(t *testing.T) { calmAndStorm(t, testOnChange) }

func testOnChange(t *testing.T) {
	server := func(policy string) map[string]string {
		return map[string]string{"a": "1", "Taskfile.yml": "tasks:\n  serve: {" + policy + "sources: [a], cmds: ['sh serve.sh']}\n",
			"serve.sh": "trap 'echo hup >>log' HUP\necho $$ >pid.new; mv pid.new pid; echo start $(cat a) >>log\nuntil [ -e end$(cat a) ]; do sleep 0.01; done\n"}
	}
	pid := func(w *watched) int {
		var n int
		if !eventually(func() bool {
			b, _ := os.ReadFile(filepath.Join(w.dir, "pid"))
			n, _ = strconv.Atoi(strings.TrimSpace(string(b)))
			return n > 0
		}) {
			w.t.Fatal("it was not started")
		}
		return n
	}
	t.Run("restart", func(t *testing.T) {
		t.Parallel()
		w := newWatched(t, server(""), "-w", "serve")
		w.has("log", "start 1\n")
		first := pid(w)
		w.write("a", "2")
		if ev := w.next("watch_ended"); !ev.Restarted {
			t.Error("it was not restarted")
		}
		if running(first) {
			t.Error("the old one runs beside the new one")
		}
		w.has("log", "start 1\nstart 2\n")
		second := pid(w)
		if got := w.stop(syscall.SIGTERM); got != "exit status 0" || running(second) {
			t.Errorf("it ended with %s; runs: %t", got, running(second))
		}
	})
	t.Run("queue", func(t *testing.T) {
		t.Parallel()
		w := newWatched(t, server("on_change: queue, "), "-w", "serve")
		w.has("log", "start 1\n")
		first := pid(w)
		w.write("a", "2")
		w.next("watch_triggered")
		w.write("a", "3")
		w.next("watch_triggered")
		if !running(first) {
			t.Error("it was stopped")
		}
		w.write("end3", "")
		w.next("watch_ended")
		w.has("log", "start 1\nstart 3\n")
	})
	t.Run("ignore", func(t *testing.T) {
		t.Parallel()
		w := newWatched(t, server("on_change: ignore, "), "-w", "serve")
		w.has("log", "start 1\n")
		w.write("a", "2")
		w.next("watch_triggered")
		w.write("end2", "")
		w.next("watch_ended")
		w.write("a", "3") // the task is not running: the change is not ignored
		w.has("log", "start 1\nstart 3\n")
	})
	t.Run("signal", func(t *testing.T) {
		t.Parallel()
		w := newWatched(t, server("on_change: {signal: HUP}, "), "-w", "serve")
		w.has("log", "start 1\n")
		w.write("a", "2")
		w.has("log", "start 1\nhup\n")
	})
	t.Run("a signal of the user's", func(t *testing.T) {
		t.Parallel()
		w := newWatched(t, server("signals: HUP, "), "-w", "serve")
		w.has("log", "start 1\n")
		w.cmd.Process.Signal(syscall.SIGHUP)
		w.has("log", "start 1\nhup\n")
		w.write("a", "2")
		w.has("log", "start 1\nhup\nstart 2\n")
	})
}

// TestWatchLoop: a task that changes its own sources is not run again without end.
func TestWatchLoop(t *testing.T) { calmAndStorm(t, testWatchLoop) }

func testWatchLoop(t *testing.T) {
	w := newWatched(t, map[string]string{"src": "x\n", "Taskfile.yml": "tasks:\n  grow: {sources: [src], cmds: ['echo x >>src']}\n"}, "-w", "grow")
	for {
		if ev := w.next("diagnostic"); strings.Contains(ev.What, "task grow: src, one of its sources, changes each time it runs") {
			break
		}
	}
	b, _ := os.ReadFile(filepath.Join(w.dir, "src"))
	if n := strings.Count(string(b), "x"); n > 20 {
		t.Errorf("it ran %d times", n)
	}
	w.write("src", "begun anew\n")
	w.next("watch_triggered")
	w.next("watch_ended")
}

// TestWatchLoops: tasks that change their own or each other's sources are not run again without end,
// but another change makes them run again.
func TestWatchLoops(t *testing.T) {
	t.Parallel()
	var names []string
	var all []*watched // run concurrently, since they mostly wait
	for name, test := range map[string]struct{ tasks, call string }{
		"each other":                  {"x: {sources: [a], cmds: ['echo >>runs; echo x >>b']}\n  y: {sources: [b], cmds: ['echo y >>a']}", "x y"},
		"each other, then they go on": {"x: {sources: [a], cmds: ['echo >>runs; echo x >>b; sleep 0.4']}\n  y: {sources: [b], cmds: ['echo y >>a; sleep 0.4']}", "x y"},
		"three":                       {"x: {sources: [a], cmds: ['echo >>runs; echo x >>b']}\n  y: {sources: [b], cmds: ['echo y >>c']}\n  z: {sources: [c], cmds: ['echo y >>a']}", "x y z"},
		"each other, beside a server": {"x: {sources: [a], cmds: ['echo >>runs; echo x >>b']}\n  y: {sources: [b], cmds: ['echo y >>a']}\n  s: {sources: [s], cmds: [sleep 1000]}", "s x y"},
		"a need without sources":      {"x: {deps: [n], sources: [a], cmds: ['true']}\n  n: 'echo >>runs; echo n >>a'", "x"},
		"a need, and it goes on":      {"x: {deps: [n], sources: [a], cmds: [sleep 0.3]}\n  n: 'echo >>runs; echo n >>a'", "x"},
		"a call":                      {"x: {cmds: [{task: n}, {task: m}]}\n  n: 'echo >>runs; echo n >>a'\n  m: {sources: [a], cmds: ['true']}", "x"},
		"queued":                      {"x: {on_change: queue, sources: [a], cmds: ['echo >>runs; echo x >>a; sleep 0.2']}", "x"},
	} {
		names, all = append(names, name), append(all, newWatched(t, map[string]string{"a": "", "b": "", "c": "", "s": "", "runs": "", "Taskfile.yml": "tasks:\n  " + test.tasks + "\n"}, append([]string{"-w"}, strings.Fields(test.call)...)...))
	}
	runs := func(w *watched) int {
		b, _ := os.ReadFile(filepath.Join(w.dir, "runs"))
		return len(b)
	}
	for i, w := range all {
		for !strings.Contains(w.next("diagnostic").What, "one of its sources, changes each time it runs") {
		}
		n := runs(w)
		if n > 20 {
			t.Errorf("%s: it ran %d times", names[i], n)
		}
		// A change while no task runs. On a slow machine the first one may occur during the last
		// run, and is then attributed to the task.
		again := false
		for try := 0; try < 10 && !again; try++ {
			w.idle()
			w.write("a", fmt.Sprintf("begun anew %d\n", try))
			for end := time.Now().Add(3 * time.Second); !again && time.Now().Before(end); time.Sleep(time.Millisecond) {
				again = runs(w) > n
			}
		}
		if !again {
			t.Errorf("%s: it does not run again", names[i])
		}
	}
}

// TestWatchMany: many changes by a git command are one batch, after git has ended.
func TestWatchMany(t *testing.T) { calmAndStorm(t, testWatchMany) }

func testWatchMany(t *testing.T) {
	w := newWatched(t, map[string]string{"src/0": "0", "Taskfile.yml": "tasks:\n  count: {sources: ['src/*'], cmds: ['ls src | wc -l >out; echo >>runs']}\n"}, "-w", "count")
	w.next("watch_ended")
	w.write(".git/index.lock", "")
	for i := range 10_000 {
		w.write(fmt.Sprintf("src/%d", i), "new")
	}
	os.Remove(filepath.Join(w.dir, ".git/index.lock"))
	w.next("watch_triggered")
	w.next("watch_ended")
	w.has("out", "10000\n")
	w.write("src/0", "last")
	w.triggered("src/0")
	if b, _ := os.ReadFile(filepath.Join(w.dir, "runs")); len(b) > 5 {
		t.Errorf("%d runs for one checkout", len(b))
	}
}

// TestWatchOptions: polling, several tasks, tasks that are not watched, and messages.
func TestWatchOptions(t *testing.T) { calmAndStorm(t, testWatchOptions) }

func testWatchOptions(t *testing.T) {
	t.Run("poll", func(t *testing.T) {
		t.Parallel()
		w := newWatched(t, map[string]string{"Taskfile.yml": buildTask, "src/a": "one\n"}, "-w", "--poll", "20ms", "build")
		w.next("watch_ended")
		w.write("src/a", "changed\n")
		w.triggered("src/a")
		w.write("src/new/b", "more\n")
		w.next("watch_triggered")
		w.has("out", "changed\nmore\n")
	})
	t.Run("several", func(t *testing.T) {
		t.Parallel()
		w := newWatched(t, map[string]string{"a": "1", "b": "1", "Taskfile.yml": "tasks:\n  x: {sources: [a], cmds: ['cp a ax; sleep 1000']}\n  y: {sources: [b], cmds: ['cp b by']}\n"}, "-w", "x", "y")
		w.has("ax", "1")
		w.next("watch_ended")
		w.write("b", "2")
		if ev := w.next("watch_ended"); ev.Task != "y" {
			t.Errorf("%s ended", ev.Task)
		}
		w.has("by", "2")
	})
	t.Run("watch: true", func(t *testing.T) {
		t.Parallel()
		w := newWatched(t, map[string]string{"a": "1", "Taskfile.yml": "tasks:\n  x: {watch: true, sources: [a], cmds: ['cp a out; echo x >>log']}\n  first: echo first >>log\n"}, "x", "first")
		w.next("watch_ended")
		w.has("log", "first\nx\n")
		w.write("a", "2")
		w.triggered("a")
	})
	t.Run("dotenv", func(t *testing.T) {
		t.Parallel()
		w := newWatched(t, map[string]string{"a": "1", ".env": "X=one\n", "Taskfile.yml": "dotenv: [.env]\ntasks:\n  x: {sources: [a], method: none, cmds: ['echo $X >out']}\n"}, "-w", "x")
		w.next("watch_ended")
		w.has("out", "one\n")
		w.write(".env", "X=two\n")
		w.triggered(".env")
		w.has("out", "two\n")
	})
	t.Run("no sources", func(t *testing.T) {
		t.Parallel()
		w := newWatched(t, map[string]string{"Taskfile.yml": "tasks:\n  x: 'true'\n"}, "-w", "x")
		w.next("watch_ended")
		w.stop(syscall.SIGINT)
		if out := w.out.String(); !strings.Contains(out, "task x: neither it nor a task that it needs has sources") {
			t.Errorf("it said %s", out)
		}
	})
	t.Run("messages", func(t *testing.T) {
		t.Parallel()
		w := newWatched(t, map[string]string{"Taskfile.yml": buildTask, "src/a": "one\n"}, "-w", "--clear", "build")
		w.next("watch_ended")
		w.write("src/a", "two\n")
		w.next("watch_ended")
		w.stop(syscall.SIGINT)
		for _, want := range []string{"weft: watching for build\n", "weft: src/a changed: build\n", "weft: \"build\" is done after ", ", last change src/a\n", "\x1b[2J"} {
			if !strings.Contains(w.out.String(), want) {
				t.Errorf("no %q in %q", want, w.out.String())
			}
		}
	})
}

// TestWatchInterrupts: several signals end watch mode as one does, at any interval, and whatever is
// running.
func TestWatchInterrupts(t *testing.T) {
	t.Parallel()
	for name, cmds := range map[string]string{"idle": "echo up >up", "running": "'echo up >up; exec sleep 1000'"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range 12 {
				w := newWatched(t, map[string]string{"a": "x", "Taskfile.yml": "tasks:\n  x: {sources: [a], method: none, cmds: [" + cmds + "]}\n"}, "-w", "x")
				if w.has("up", "up\n"); name == "idle" {
					w.next("watch_ended")
				}
				signals := [][]syscall.Signal{{syscall.SIGINT, syscall.SIGINT}, {syscall.SIGINT, syscall.SIGTERM}, {syscall.SIGTERM, syscall.SIGINT, syscall.SIGINT}}[i%3]
				for _, sig := range signals[1:] {
					w.cmd.Process.Signal(sig)
					time.Sleep(time.Duration(i/3) * 300 * time.Microsecond)
				}
				if got := w.stop(signals[0]); got != "exit status 0" {
					t.Errorf("%v: it ended with %s", signals, got)
				}
			}
		})
	}
}

// TestWatchIterations: the use of memory, threads and descriptors does not grow with the number of
// runs, successful or failed. WEFT_ITERATIONS is that number; the default is 200.
func TestWatchIterations(t *testing.T) {
	t.Parallel()
	n := int(amount("WEFT_ITERATIONS", 200))
	for name, cmds := range map[string]string{"ordinary": "'cp src/a out'", "failing": "'cp src/a out; exit 1'"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWatched(t, map[string]string{"src/a": "x", "Taskfile.yml": "tasks:\n  copy: {sources: ['src/*'], generates: [out], cmds: [" + cmds + "]}\n"}, "-w", "--interval", "1ms", "copy")
			w.next("watch_ended")
			pid := w.cmd.Process.Pid
			state := func() (descriptors, threads, kib int) {
				fds, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
				tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
				return len(fds), len(tasks), memory(t, pid, "RssAnon")
			}
			var fds, threads, kib int
			for i := range n {
				// The file is replaced by a rename, so that each change causes one run: a task whose
				// sources repeatedly change while it runs is suspected of changing them.
				w.write("new", strconv.Itoa(i))
				w.do(os.Rename(w.in("new"), w.in("src/a")))
				w.triggered("src/a")
				w.has("out", strconv.Itoa(i))
				if i == min(50, n-1) {
					fds, threads, kib = state()
				}
			}
			f, th, k := state()
			if f > fds+3 || th > threads+6 {
				t.Errorf("from %d to %d descriptors, from %d to %d threads", fds, f, threads, th)
			}
			if raced() { // the race detector needs more memory
				return
			}
			if k > kib+6<<10 {
				t.Errorf("from %d to %d KiB of memory", kib, k)
			}
			if most := highWater(t, pid); most > 40<<10 { // about 10 MiB of them belong to the test binary
				t.Errorf("%d MiB of memory", most>>10)
			}
		})
	}
}

// raced reports whether this program was built with the race detector.
func raced() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// TestWatchServer: a server that listens at a fixed port is restarted, and the port is free each
// time. WEFT_RESTARTS is the number of restarts; the default is 10.
func TestWatchServer(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("the server is a python program: ", err)
	}
	n := int(amount("WEFT_RESTARTS", 10))
	w := newWatched(t, map[string]string{"src": "0", "Taskfile.yml": "tasks:\n  serve: {sources: [src], cmds: ['exec " + python + " server.py']}\n",
		"server.py": "import socket,time\ns=socket.socket()\ntry:\n  p=int(open('port').read())\nexcept OSError: p=0\ns.bind(('127.0.0.1',p))\ns.listen()\nopen('port','w').write(str(s.getsockname()[1]))\nopen('up','w').write(open('src').read())\ntime.sleep(1000)\n"}, "-w", "--interval", "1ms", "serve")
	w.has("up", "0")
	for i := range n {
		want := strconv.Itoa(i + 1)
		w.write("src", want)
		if ev := w.next("watch_ended"); !ev.Restarted {
			t.Fatalf("restart %d: it ended by itself: %s", i, ev.Error)
		}
		w.has("up", want)
	}
}

// TestWatchEdits: after each random sequence of edits, some of them during runs, the outputs equal
// those of a clean build. WEFT_EDITS is the number of sequences; the default is 20.
func TestWatchEdits(t *testing.T) {
	t.Parallel()
	n := int(amount("WEFT_EDITS", 20))
	const tasks = `tasks:
  all: {deps: [one, two], sources: [1.out, 2.out], generates: [all.out], cmds: ['cat 1.out 2.out >all.out']}
  one: {sources: ['one/*'], generates: [1.out], cmds: ['cat one/* >1.tmp; sleep 0.01; mv 1.tmp 1.out']}
  two: {sources: ['two/*'], generates: [2.out], cmds: ['cat two/* >2.out']}
`
	w := newWatched(t, map[string]string{"Taskfile.yml": tasks, "one/a": "a", "two/b": "b"}, "-w", "--interval", "2ms", "all")
	w.next("watch_ended")
	r := rand.New(rand.NewPCG(11, 11))
	content := map[string]string{"one/a": "a", "two/b": "b"}
	for i := range n {
		for e := range 1 + r.IntN(8) {
			name := []string{"one/a", "one/c", "two/b", "two/d"}[r.IntN(4)]
			if _, there := content[name]; there && r.IntN(5) == 0 && len(name) > 0 && name != "one/a" && name != "two/b" {
				os.Remove(filepath.Join(w.dir, name))
				delete(content, name)
			} else {
				content[name] = fmt.Sprintf("%d-%d\n", i, e)
				w.write(name, content[name])
			}
			for range r.IntN(200_000) { // wait for a random time without a timer
				_ = e
			}
		}
		w.has("all.out", content["one/a"]+content["one/c"]+content["two/b"]+content["two/d"])
		w.idle()
	}
}

// TestWatchKeys: the keys that the user can type while nothing runs.
func TestWatchKeys(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"a": "x", "Taskfile.yml": "tasks:\n  build: {desc: Builds, sources: [a], method: none, cmds: ['echo built:$(cat a)']}\n"})
	seen, state := converse(t, dir, exec.Command("weft", "-w", "build"), []string{"q: quit", "built:x", "is done", "> \n", "built:x", "is done", "> l", "Builds", "> q"})
	if !state.Success() {
		t.Errorf("%v; seen:\n%s", state, seen)
	}
}
