//go:build linux && !386

package page

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/weftrun/weft/internal/browser"
)

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	browser.Stop()
	os.Exit(code)
}

// tab is an open page.
type tab struct {
	*browser.Tab

	mu       sync.Mutex
	requests []string // all requests except the page itself
}

// newTab opens an empty tab.
func newTab(t testing.TB) *tab {
	t.Helper()
	return &tab{Tab: browser.New(t)}
}

// address is the address of a file.
func address(file string) string { return (&url.URL{Scheme: "file", Path: file}).String() }

// open opens a page with a fragment.
func open(t testing.TB, html []byte, fragment string) *tab {
	t.Helper()
	p := newTab(t)
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, html, 0o600); err != nil {
		t.Fatal(err)
	}
	address := address(file)
	err := chromedp.Listen(p.Target, func(ev any) {
		ask, ok := ev.(*network.EventRequestWillBeSent)
		if !ok {
			return
		}
		if got := ask.Request.URL; got != address && !strings.HasPrefix(got, "data:") && !strings.HasPrefix(got, "blob:") {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.requests = append(p.requests, got)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Silent()
	browser.Call(p.Tab, network.Enable, network.EnableParams{})
	p.Size(1280, 800)
	p.Navigate(address + fragment)
	p.until(`document.documentElement.dataset.ready === 'true'`)
	t.Cleanup(p.offline)
	return p
}

// offline fails the test if the page made a request.
func (p *tab) offline() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.requests {
		p.Errorf("the page asked for %s", r)
	}
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	browser.Run(p.Tab, chromedp.Steps(steps...))
}

// eval returns the value of an expression in the page.
func eval[T any](p *tab, js string) T {
	p.Helper()
	return browser.Eval[T](p.Tab, js)
}

// until waits until a condition holds in the page.
func (p *tab) until(js string) {
	p.Helper()
	p.Until(js, func() { p.shot("failed") })
}

func (p *tab) text(selector string) string {
	p.Helper()
	return eval[string](p, fmt.Sprintf("document.querySelector(%q)?.textContent ?? '(nothing)'", selector))
}

// click clicks the middle of the first visible element.
func (p *tab) click(selector string) {
	p.Helper()
	at := eval[[]float64](p, fmt.Sprintf(`(() => {
		const e = [...document.querySelectorAll(%q)].find(e => e.getClientRects().length);
		if (!e) return [];
		e.scrollIntoView({block: 'nearest'});
		const r = e.getBoundingClientRect();
		return [r.left + r.width / 2, r.top + r.height / 2];
	})()`, selector))
	if len(at) == 0 {
		p.Fatalf("there is no %s to click", selector)
	}
	p.clickAt(at[0], at[1])
}

func (p *tab) clickAt(x, y float64) {
	p.Helper()
	p.do(chromedp.MouseClickXY(x, y))
}

// hover moves the pointer.
func (p *tab) hover(x, y float64) {
	p.Helper()
	p.mouse(input.DispatchMouseEventTypeMouseMoved, x, y, 0)
}

func (p *tab) mouse(kind input.DispatchMouseEventType, x, y float64, buttons int64) {
	p.Helper()
	params := input.DispatchMouseEventParams{Type: kind, X: x, Y: y}
	if buttons != 0 {
		params.Button, params.Buttons, params.ClickCount = input.MouseButtonLeft, buttons, 1
	}
	browser.Call(p.Tab, input.DispatchMouseEvent, params)
}

// drag drags from one place to another.
func (p *tab) drag(x, y, toX, toY float64) {
	p.Helper()
	p.mouse(input.DispatchMouseEventTypeMousePressed, x, y, 1)
	p.mouse(input.DispatchMouseEventTypeMouseMoved, (x+toX)/2, (y+toY)/2, 1)
	p.mouse(input.DispatchMouseEventTypeMouseMoved, toX, toY, 1)
	p.mouse(input.DispatchMouseEventTypeMouseReleased, toX, toY, 1)
}

// wheel turns the mouse wheel, with Ctrl held if zoom is set.
func (p *tab) wheel(x, y, by float64, zoom bool) {
	p.Helper()
	params := input.DispatchMouseEventParams{Type: input.DispatchMouseEventTypeMouseWheel, X: x, Y: y, DeltaX: 0.001, DeltaY: by}
	if zoom {
		params.Modifiers = int64(kb.ModifierCtrl)
	}
	browser.Call(p.Tab, input.DispatchMouseEvent, params)
}

// press presses keys one after the other. The text of a key is part of its keydown event, so that a
// page that handles the event does not receive the text, too.
func (p *tab) press(keys string) {
	p.Helper()
	for _, r := range keys {
		events := kb.Encode(r)
		down, up := *events[0], *events[len(events)-1]
		if len(events) == 3 {
			down.Text, down.UnmodifiedText = events[1].Text, events[1].UnmodifiedText
		}
		browser.Call(p.Tab, input.DispatchKeyEvent, down)
		browser.Call(p.Tab, input.DispatchKeyEvent, up)
	}
}

// choose chooses an option of a select element.
func (p *tab) choose(selector, value string) {
	p.Helper()
	eval[bool](p, fmt.Sprintf("(e => { e.value = %q; return e.dispatchEvent(new Event('change')); })(document.querySelector(%q))", value, selector))
}

// shot saves a picture, if pages are kept.
func (p *tab) shot(name string) {
	if *keep == "" {
		return
	}
	png := browser.Run(p.Tab, chromedp.CaptureScreenshot())
	if err := os.WriteFile(filepath.Join(*keep, name+".png"), png, 0o600); err != nil {
		p.Fatal(err)
	}
}
