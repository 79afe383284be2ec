//go:build linux && !386

package ui

import (
	"fmt"
	"testing"
)

// TestAccess checks accessibility with axe-core: every view while the run lasts, with an error
// of a button, and after its end; light and dark, wide and narrow.
func TestAccess(t *testing.T) {
	r := newRig(t, Options{FlushTimeout: patience})
	tab := r.browse()
	tab.Axe()
	views := func(state string) {
		t.Helper()
		for _, theme := range []string{"light", "dark"} {
			tab.Media("", theme)
			for _, width := range []int64{1280, 320} {
				tab.Size(width, 800)
				for _, view := range []string{"Timeline", "Graph", "Logs", "Table"} {
					click(tab, "#tabs", view)
					shows(tab, `document.documentElement.dataset.theme === '`+theme+`'`)
					tab.Accessible(fmt.Sprintf("%s, %s, %d pixels wide, %s", state, theme, width, view))
				}
			}
		}
		tab.Size(1280, 800)
	}
	shows(tab, `document.getElementById('summary').textContent.startsWith('not begun')`)
	tab.Accessible("not begun")
	r.tell(begun()...)
	shows(tab, row("lib", "running"))
	click(tab, "#rows", "lib")
	click(tab, "#detail", label("stop step"))
	r.answer(r.hear().ID, "it is not a service")
	shows(tab, `[...document.querySelectorAll('#detail [role=alert]')].some(e => e.textContent.includes('it is not a service'))`)
	views("running")
	r.tell(failed()...)
	shows(tab, row("lib", "failed"))
	r.in.Close()
	shows(tab, `document.getElementById('live').textContent.includes('has ended')`)
	views("ended")
}
