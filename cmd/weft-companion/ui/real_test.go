//go:build linux && !386

package ui

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/weftrun/weft/internal/browser"
)

// weft is a run of the real program, with a live page.
type weft struct {
	*rig
	tab   *browser.Tab
	dir   string
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has
	err   lockedBuffer  // what it says
}

// built is the directory of the programs, which tests share.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// programs builds weft and weft-companion, once, and returns their directory.
func programs(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the programs")
	}
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "weft-ui-"); built.err != nil {
			return
		}
		build := exec.Command("go", "build", "-o", built.dir, "./cmd/weft", "./cmd/weft-companion")
		build.Dir = filepath.Join("..", "..", "..")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.dir
}

// start starts weft on a Taskfile, and opens its page. It has ended when the test has.
func start(t *testing.T, bin, dir string, args ...string) *weft {
	t.Helper()
	w := &weft{rig: &rig{TB: t}, dir: dir, cmd: exec.Command(filepath.Join(bin, "weft"), args...)}
	w.cmd.Dir, w.cmd.Stderr = dir, &w.err
	w.cmd.WaitDelay = time.Second // for what has its standard error
	w.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "XDG_RUNTIME_DIR=" + dir, "WEFT_COMPANION=" + filepath.Join(bin, "weft-companion")}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.ended = make(chan struct{})
	go func() {
		w.cmd.Wait()
		close(w.ended)
	}()
	t.Cleanup(func() {
		w.cmd.Process.Signal(syscall.SIGINT)
		select {
		case <-w.ended:
		case <-time.After(patience):
			w.cmd.Process.Kill()
			<-w.ended
		}
		if t.Failed() {
			t.Logf("weft said\n%s", w.err.String())
		}
	})
	const told = "live page: "
	var address string
	w.until("it says where the page is", func() bool {
		_, rest, _ := strings.Cut(w.err.String(), told)
		var found bool
		address, _, found = strings.Cut(rest, "\n")
		return found
	})
	w.url, w.token, _ = strings.Cut(address, "#k=")
	w.tab = w.browse()
	return w
}

// until waits until something holds.
func (w *weft) until(what string, holds func() bool) {
	w.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("never: %s\n%s", what, w.err.String())
		}
	}
}

// ends waits until weft has ended by itself.
func (w *weft) ends() {
	w.Helper()
	select {
	case <-w.ended:
	case <-time.After(patience):
		w.Fatal("weft does not end")
	}
}

// sees waits until something holds in the page.
func (w *weft) sees(expression string) { w.Helper(); shows(w.tab, expression) }

func (w *weft) presses(selector, text string) { w.Helper(); click(w.tab, selector, text) }

// types puts text into a field, as a person does.
func (w *weft) types(selector, text string) {
	w.Helper()
	browser.Eval[bool](w.tab, `(e => { e.focus(); e.select?.(); return true; })(document.querySelector('`+selector+`'))`)
	browser.Run(w.tab, chromedp.KeyEvent(text))
}

// TestRealRun clicks everything there is while services run, and looks at what they do.
func TestRealRun(t *testing.T) {
	dir := t.TempDir()
	taskfile := `version: '3'
tasks:
  default: {deps: [api], cmds: [{task: lint}, {task: part, vars: {X: "it's"}}, 'sleep 600']}
  api:
    service: true
    stdin: route
    ready: {log: is up}
    cmd: 'echo api is up; while read line; do echo "got $line"; done; sleep 600'
  lint: {ignore_error: true, cmd: 'echo "a complaint <b>"; exit 3'}
  part: {internal: true, cmd: 'echo "{{.X}}"'}
`
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte(taskfile), 0o600); err != nil {
		t.Fatal(err)
	}
	bin := programs(t)
	w := start(t, bin, dir, "--ui", "-C", "4", "default", "MODE=a b")
	w.sees(row("api", "ready"))
	w.sees(row("part", "succeeded"))
	w.sees(row("default", "running"))
	const log = `document.querySelector('#log .lines').innerText`

	// The service: a line is sent to it, it is restarted, and told what it cannot do.
	w.presses("#rows", "api")
	w.presses("#detail", "log")
	w.sees(log + `.includes('api is up')`)
	w.types("#detail input", "hello\r")
	w.sees(log + `.includes('got hello')`)
	w.types("#detail input", "; exit <b>")
	w.presses("#detail", "send the line to api")
	w.sees(log + `.includes('got ; exit <b>')`)
	w.presses("#detail", "restart api")
	w.sees(`[...document.querySelectorAll('#detail dt')].some(e => e.textContent === 'restarts' && e.nextSibling.textContent === '1')`)
	w.sees(`[...document.querySelectorAll('.line:not(.head)')].filter(e => e.textContent.endsWith('api is up')).length === 2`)
	w.presses("#rows, .side", "✓ lint") // in the list of logs
	w.sees(log + `.includes('a complaint <b>')`)
	w.presses("#detail", "run again lint")
	w.sees(`weft.steps.label.filter(l => weft.text(l) === 'lint').length === 2`)
	w.presses("#tabs", "Table")
	w.presses("#rows", "default")
	w.types("#detail input", "x")
	w.presses("#detail", "send the line to default")
	w.sees(`[...document.querySelectorAll('#detail [role=alert]')].some(e => e.textContent.includes('its task needs stdin: route'))`)
	w.presses("#rows", "part")
	w.presses("#detail", "run again part")
	w.sees(`[...document.querySelectorAll('#detail [role=alert]')].some(e => e.textContent.includes('internal'))`)

	// Commands that run a step again are those of a shell.
	w.presses("#detail", "copy command of default")
	w.sees(`document.getElementById('count').textContent === "copied: weft default 'MODE=a b'"`)

	// Search and filters during the run.
	w.types("#q", "lin")
	w.sees(`document.querySelectorAll('#rows tbody tr[data-state]').length === 2`)
	w.types("#q", "\b")
	w.sees(`document.querySelectorAll('#rows tbody tr[data-state]').length > 3`)
	browser.Eval[bool](w.tab, `(e => { e.value = 'running'; return e.dispatchEvent(new Event('change')); })(document.querySelector('#outcome'))`)
	w.sees(`[...document.querySelectorAll('#rows tbody tr[data-state]')].every(e => e.dataset.state === 'running')`)
	browser.Eval[bool](w.tab, `(e => { e.value = ''; return e.dispatchEvent(new Event('change')); })(document.querySelector('#outcome'))`)
	w.presses("#tabs", "Logs")
	w.types("#find", "complaint")
	browser.Eval[bool](w.tab, `(document.querySelector('#all').click(), true)`)
	w.sees(`document.querySelectorAll('.side button').length === 2`)
	browser.Eval[bool](w.tab, `(document.querySelector('#all').click(), document.querySelector('#wrap').click(), true)`)
	w.sees(`document.querySelector('.lines').classList.contains('wrap')`)

	// One step is stopped, then all.
	w.presses("#tabs", "Table")
	w.presses("#rows", "api")
	w.presses("#detail", "stop step api")
	w.sees(row("api", "succeeded"))
	w.presses("#menus", "stop the run")
	w.sees(`document.getElementById('live').textContent.includes('has ended')`)
	w.sees(row("default", "cancelled"))
	w.ends()
	w.presses("#tabs", "Logs")
	w.presses(".side", "✓ lint")
	w.sees(log + `.includes('a complaint <b>')`)
	if said := w.err.String(); strings.Contains(said, "live page has ended") || strings.Contains(said, "stdin: route") {
		t.Errorf("on standard error stands what belongs on the page:\n%s", said)
	}

	// The next run of the same tasks is compared with this one, and has its number.
	w = start(t, bin, dir, "--ui", "default")
	w.sees(row("api", "ready"))
	w.sees(`!document.querySelector('#compare').hidden && document.querySelector('#about summary').textContent === 'run 2'`)
	w.sees(`[...document.querySelectorAll('#steps thead th')].map(e => e.textContent).join().includes('before,Δ')`)
	w.presses("#menus", "stop the run")
	w.sees(`document.getElementById('live').textContent.includes('has ended')`)
}

// TestRealWatch runs again what is watched, by a click and by a change.
func TestRealWatch(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte("version: '3'\ntasks: {default: {sources: [x.txt], cmd: cat x.txt}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "x.txt"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one\n")
	w := start(t, programs(t), dir, "--ui", "--watch", "default")
	w.sees(row("default", "succeeded"))
	write("two\n")
	w.sees(row("default", "succeeded") + ` && weft.steps.id[0] > 1`)
	// The row may still be that of the first run.
	w.until("the second run ends", func() bool { return strings.Contains(w.err.String(), "last change x.txt") })
	w.presses("#menus", "run again what is watched")
	w.sees(row("default", "fresh"))
	w.presses("#menus", "stop the run")
	w.sees(`document.getElementById('live').textContent.includes('has ended')`)
	w.ends()
}

// lockedBuffer is a buffer that several goroutines use.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
