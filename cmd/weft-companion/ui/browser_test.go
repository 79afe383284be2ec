//go:build linux && !386

package ui

import (
	"fmt"
	"os"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/weftrun/weft/internal/browser"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	browser.Stop()
	os.Exit(code)
}

// browse opens the page in a tab.
func (r *rig) browse() *browser.Tab {
	r.Helper()
	return r.visit(r.url + "#k=" + r.token)
}

// visit opens an address in a tab. The test fails if a script does.
func (r *rig) visit(address string) *browser.Tab {
	r.Helper()
	tab := browser.New(r)
	tab.Silent()
	tab.Navigate(address)
	return tab
}

// click clicks the first button that can be seen and says text, within what selector selects.
func click(tab *browser.Tab, selector, text string) {
	tab.Helper()
	find := fmt.Sprintf(`[...document.querySelectorAll(%q)].find(b => (b.textContent === %q || b.ariaLabel === %[2]q) && b.getClientRects().length && !b.disabled)`, selector+" button", text)
	shows(tab, find)
	at := browser.Eval[[]float64](tab, `(() => { const b = `+find+`; b.scrollIntoView({block: 'nearest'}); const e = b.getBoundingClientRect(); return [e.left + e.width / 2, e.top + e.height / 2]; })()`)
	browser.Run(tab, chromedp.MouseClickXY(at[0], at[1]))
}

// shows waits until an expression of JavaScript is true.
func shows(tab *browser.Tab, expression string) {
	tab.Helper()
	tab.Until(expression, nil)
}
