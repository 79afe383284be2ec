//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// waiter is the program "waiter NAME": it writes its process id to NAME.pid, says when it is
// continued, and ends when something is written to the FIFO NAME.go.
//
// It is no shell script. A shell that is between vfork and exec cannot be stopped, and no job
// control sees its stopped child; and a signal that comes right before a shell's read is not
// handled until that ends.
func waiter() {
	name := os.Args[1]
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, syscall.SIGCONT)
	go func() {
		for range continued {
			fmt.Println("cont:" + name)
		}
	}()
	err := os.WriteFile(name+".pid", fmt.Appendln(nil, os.Getpid()), 0o666)
	if err == nil {
		err = syscall.Mkfifo(name+".go", 0o666)
	}
	var from *os.File
	if err == nil {
		from, err = os.OpenFile(name+".go", os.O_RDWR, 0)
	}
	if err == nil {
		fmt.Println("ready:" + name)
		_, err = from.Read(make([]byte, 1))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "waiter:", err)
		os.Exit(1)
	}
	fmt.Println("end:" + name)
}

// TestJobControl types into a shell that runs weft as its job.
func TestJobControl(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("job control needs bash: ", err)
	}
	const files = `-- Taskfile.yml --
version: '3'
silent: true
tasks:
  wait: waiter one
  piped: waiter one | cat | cat
  both: {deps: [a, b], cmds: [echo over]}
  a: waiter a
  b: waiter b
  ask: {prompt: 'Sure?', cmds: [echo ran]}
  talk: {deps: [say1, say2], cmds: [echo over]}
  say1: sh -c 'echo out:1'
  say2: sh -c 'echo out:2'
  raw: sh raw.sh
  sessions: sh sessions.sh
  dies: {cmds: [{cmd: 'env --default-signal=INT sh -c "kill -INT \$\$"', ignore_error: true}, 'echo went:on']}
  stack: {deps: [serve1, serve2]}
  serve1: {service: true, ready: {log: 'ready:'}, cmd: waiter a}
  serve2: {service: true, ready: {log: 'ready:'}, cmd: waiter b}
  seen: {sources: [pager.sh], method: none, cmds: ['echo seen:']}
-- sessions.sh --
env -i PATH="$PATH" setsid waiter b &
exec waiter a
-- raw.sh --
stty raw -echo; echo ready; dd bs=1 count=1 2>/dev/null | od -An -c; stty sane; echo sane
-- calls.sh --
weft wait
echo after
-- pager.sh --
cat; echo end of input; read x </dev/tty; echo got:$x
`
	// state prints the states of the processes of two steps.
	// A busy machine may need a moment to stop what was told to.
	const state = "> until s=$(ps -o stat= -p $(cat a.pid),$(cat b.pid) | cut -c1 | tr -d '\\n'); [ \"$s\" = TT ]; do sleep 0.05; done; echo st:$s\n"
	for name, dialogue := range map[string][]string{
		"Ctrl-Z stops parallel steps":              {"> weft both\n", "ready:", "ready:", "> \x1a", "Stopped", state, "st:TT", "> fg\n", "weft both", "+ a.go", "+ b.go", "end:", "end:", "over"},
		"Ctrl-Z stops sessions of their own":       {"> weft sessions\n", "ready:", "ready:", "> \x1a", "Stopped", state, "st:TT", "> fg\n", "cont:", "cont:", "+ a.go", "+ b.go", "end:", "end:"},
		"Ctrl-Z, then kill -9":                     {"> weft sessions\n", "ready:", "ready:", "> \x1a", "Stopped", "> kill -9 %1; while ps -p $(cat a.pid),$(cat b.pid) >/dev/null; do sleep 0.05; done; echo none left\n", "none left"},
		"Ctrl-Z twice":                             {"> weft both\n", "ready:", "ready:", "> \x1a", "Stopped", "> fg\n", "cont:", "> \x1a", "Stopped", state, "st:TT", "> bg\n", "+ a.go", "+ b.go", "end:", "end:", "over"},
		"Ctrl-Z at the step that has the terminal": {"> weft wait\n", "ready:one", "> \x1a", "Stopped", "> fg\n", "weft wait", "+ one.go", "end:one"},
		"Ctrl-Z at a pipeline":                     {"> weft piped\n", "ready:one", "> \x1a", "Stopped", "> fg\n", "weft piped", "+ one.go", "end:one", "$ "},
		"in the background, then fg":               {"> weft wait &\n", "ready:one", "> fg\n", "weft wait", "+ one.go", "end:one"},
		"Ctrl-C in a calling script":               {"> bash calls.sh\n", "ready:one", "> \x03", "> echo status:$?\n", "status:130"},
		"Ctrl-C ignored":                           {"> (trap '' INT; weft dies)\n", "went:"},
		"Ctrl-Z while nothing runs":                {"> weft -w seen\n", "seen:", "is done", "> \x1a", "Stopped", "> fg\n", "weft -w seen", "> \n", "seen:", "is done", "> \x03", "$ "},
		"Ctrl-Z stops services":                    {"> weft stack\n", "ready:", "ready:", "> \x1a", "Stopped", state, "st:TT", "> fg\n", "weft stack", "cont:", "cont:", "> \x03", "$ ", "> true\n"},
		"Ctrl-Z stops services that are kept":      {"> weft -w stack\n", "is up", "> \x1a", "Stopped", state, "st:TT", "> fg\n", "weft -w stack", "cont:", "cont:", "> \x03", "$ "},
		"a prompt":                                 {"> weft ask\n", "Sure? [y/N]: ", "> y\n", "ran"},
		"raw keys":                                 {"> weft raw\n", "ready", "> q", "q", "sane"},
		"tostop":                                   {"> stty tostop\n", "> weft talk\n", "out:", "out:", "over"},
		"weft before a pager":                      {"> weft talk | sh pager.sh\n", "out:", "out:", "over", "end of input", "> q\n", "got:q"},
		"a background job killed by kill":          {"> weft both &\n", "ready:", "ready:", "> kill %1; wait %1; echo status:$?\n", "status:143", "> ps -p $(cat a.pid),$(cat b.pid) >/dev/null || echo none left\n", "none left"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, f := range txtar.Parse([]byte(files)).Files {
				if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command(bash, "--norc", "--noprofile", "-i")
			seen, state := converse(t, dir, cmd, append(dialogue, "> \n", "> exit\n"))
			if !state.Success() {
				t.Errorf("%v; seen:\n%s", state, seen)
			}
		})
	}
}
