//go:build linux && !386

package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Patience is the time limit for anything that a page is asked to do.
const Patience = 60 * time.Second

// shared is the Chromium that all tests share.
var shared struct {
	start sync.Once
	ctx   context.Context // nil: there is none here
	stop  func()
	err   error
}

// Stop ends the browser, if a test has started one. TestMain calls it after the tests.
func Stop() {
	if shared.stop != nil {
		shared.stop()
	}
}

func start() {
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if path == "" {
			path, _ = exec.LookPath(name)
		}
	}
	if path == "" {
		return
	}
	home, err := os.MkdirTemp("", "weft-page-")
	if err != nil {
		shared.err = err
		return
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.UserDataDir(filepath.Join(home, "profile")), chromedp.DisableGPU,
		chromedp.Env("HOME="+home, "DBUS_SESSION_BUS_ADDRESS=disabled:"), chromedp.WSURLReadTimeout(Patience))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(allocator)
	shared.ctx = ctx
	shared.stop = func() {
		stop()
		stopAllocator()
		os.RemoveAll(home)
	}
	shared.err = chromedp.Do(ctx)
}

// Tab is an open tab, which is closed at the end of the test. Its methods, and the functions that
// take one, end the test with an error when the browser does not do what it is asked to.
type Tab struct {
	testing.TB
	Target context.Context // the tab, for chromedp

	mu      sync.Mutex
	console []string // guarded by mu
}

// New opens an empty tab.
func New(t testing.TB) *Tab {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	shared.start.Do(start)
	if shared.ctx == nil && shared.err == nil {
		t.Skip("there is no Chromium here (apt-get install chromium)")
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	ctx, closeTab := chromedp.NewContext(shared.ctx)
	t.Cleanup(closeTab)
	if err := chromedp.Do(ctx); err != nil { // the tab exists
		t.Fatal(err)
	}
	return &Tab{TB: t, Target: ctx}
}

// Silent has the test fail, at its end, for each exception in the page from now on, and for all
// that scripts write to the console.
func (p *Tab) Silent() {
	p.Helper()
	if err := chromedp.Listen(p.Target, p.listen); err != nil {
		p.Fatal(err)
	}
	Call(p, cdpruntime.Enable, cdp.Empty{})
	p.Cleanup(p.checkConsole)
}

// listen keeps what the console shows.
func (p *Tab) listen(ev any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch ev := ev.(type) {
	case *cdpruntime.EventExceptionThrown:
		p.console = append(p.console, fmt.Sprint(ev.ExceptionDetails.Text, ev.ExceptionDetails.Exception))
	case *cdpruntime.EventConsoleAPICalled:
		for _, a := range ev.Args {
			p.console = append(p.console, string(a.Value))
		}
	}
}

func (p *Tab) checkConsole() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.console {
		p.Errorf("the console says: %s", s)
	}
}

// Navigate opens the page at an address.
func (p *Tab) Navigate(address string) {
	p.Helper()
	Run(p, chromedp.Navigate(address))
}

// Call calls a command of Chromium's protocol, and returns its result.
func Call[P, R any](p *Tab, command cdp.Command[P, R], params P) R {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Target, Patience)
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	if err != nil {
		p.Fatal(err)
	}
	return result
}

// Run performs an action in the page, and returns its result.
func Run[T any](p *Tab, action chromedp.Action[T]) T {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Target, Patience)
	defer cancel()
	result, err := chromedp.Run(ctx, action)
	if err != nil {
		p.Fatal(err)
	}
	return result
}

// Eval returns the value of an expression of JavaScript in the page; of a promise, what it
// resolves to.
func Eval[T any](p *Tab, js string) T {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Target, Patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		p.Fatalf("%s: %v", js, err)
	}
	return v
}

// Until waits until an expression of JavaScript is true in the page; one that throws is not.
// Otherwise it calls failed, which may be nil, and ends the test with the page's text.
func (p *Tab) Until(js string, failed func()) {
	p.Helper()
	for end := time.Now().Add(Patience); ; {
		if Eval[bool](p, `(() => { try { return Boolean(`+js+`); } catch { return false; } })()`) {
			return
		}
		if time.Now().After(end) {
			if failed != nil {
				failed()
			}
			p.Fatalf("never: %s; the page at %s", js, Eval[string](p, "location.href + ' says\\n' + document.body.innerText.slice(0, 20000)"))
		}
		// The promise resolves when the page has been drawn again.
		Eval[bool](p, `new Promise(done => { requestAnimationFrame(() => done(true)); setTimeout(() => done(true), 100); })`)
	}
}
