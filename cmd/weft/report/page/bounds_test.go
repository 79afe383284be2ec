//go:build linux && !386

package page

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/weftrun/weft/internal/browser"
)

// TestLargePage checks that a page of 10,000 steps is small and fast. It logs the intended and the
// measured times, and fails only if they are far apart.
func TestLargePage(t *testing.T) {
	html := write(t, "large", Options{}, largeRun(10_000))
	if len(html) > 300<<10 {
		t.Errorf("the page has %d bytes, at most %d are allowed", len(html), 300<<10)
	}
	p := open(t, html, "")
	took := func(what string, wanted, ms float64) {
		t.Logf("%s took %.0f ms, is meant to take %.0f at most", what, ms, wanted)
		if ms > 10_000 {
			t.Errorf("%s took %.0f ms", what, ms)
		}
	}
	took("opening", 1000, eval[float64](p, `performance.getEntriesByName('usable')[0].startTime`))
	p.is("#count", "10,000 steps")
	took("filtering", 100, eval[float64](p, drawn(`document.querySelector('#q').value = 'dir7/'; document.querySelector('#q').dispatchEvent(new Event('input'))`)))
	p.until(`/^\d+ of 10,000 steps$/.test(document.querySelector('#count').textContent)`)
	took("sorting", 100, eval[float64](p, drawn(`document.querySelector('#steps thead th.time button').click()`)))
	eval[float64](p, drawn(`document.querySelector('#q').value = ''; document.querySelector('#q').dispatchEvent(new Event('input'))`))
	for _, tab := range []string{"timeline", "graph", "log"} {
		took(tab, 1000, eval[float64](p, drawn(`document.querySelector('#tab-`+tab+`').click()`)))
	}
	p.click("#tab-table")

	// Scroll the table to its end; rows out of view are not in the document.
	for _, at := range []string{"e.scrollHeight / 3", "e.scrollHeight"} {
		eval[float64](p, drawn(`const e = document.querySelector('#rows'); e.scrollTop = `+at))
		if n := eval[int](p, `document.querySelectorAll('#steps tbody tr').length`); n > 300 {
			t.Errorf("%d rows are in the page", n)
		}
	}
	p.until(`[...document.querySelectorAll('#steps tbody tr[aria-rowindex]')].at(-1).getAttribute('aria-rowindex') === '10001'`)
}

// drawn returns a promise of the milliseconds until the effect of act is visible.
func drawn(act string) string {
	return `new Promise(done => { const start = performance.now(); ` + act + `; requestAnimationFrame(() => setTimeout(() => done(performance.now() - start))); })`
}

func TestLargeLog(t *testing.T) {
	r := newRecorder("1")
	r.plan(1, "ci")
	r.planned(0)
	r.start(1, 0, "ci")
	var b strings.Builder
	for i := range 200_000 {
		fmt.Fprintf(&b, "l %06d\n", i)
	}
	r.command(1, 0, "count", b.String(), time.Second, 0)
	r.settle(1, "ci", 1, nil)
	p := open(t, write(t, "log", Options{}, r.finish(nil)), "#step=ci")
	ms := eval[float64](p, `new Promise(done => {
		const start = performance.now();
		new MutationObserver((_, o) => { if (document.querySelector('.line')) { o.disconnect(); requestAnimationFrame(() => setTimeout(() => done(performance.now() - start))); } }).observe(document.body, {subtree: true, childList: true});
		document.querySelector('#tab-log').click();
	})`)
	t.Logf("opening a log of 200,000 lines took %.0f ms, is meant to take 1500 at most", ms)
	p.is("#log-title", "ci, 200,000 lines")
	ms = eval[float64](p, drawn(`document.querySelector('#find').value = '199999'; document.querySelector('#find').dispatchEvent(new Event('input'))`))
	t.Logf("searching it took %.0f ms, is meant to take 300 at most", ms)
	p.is("#found", "1 line here")
	p.click(`#log [aria-label="next match"]`)
	p.until(`document.querySelector('.line.here').textContent === '200000l 199999'`)
	if n := eval[int](p, `document.querySelectorAll('.line').length`); n > 300 {
		t.Errorf("%d lines are in the page", n)
	}
}

// TestTallLog checks a log higher than the maximum height of an element.
func TestTallLog(t *testing.T) {
	r := newRecorder("1")
	r.plan(1, "ci")
	r.planned(0)
	r.start(1, 0, "ci")
	r.command(1, 0, "yes ''", strings.Repeat("\n", 1_900_000)+"the end\n", time.Second, 0)
	r.settle(1, "ci", 1, nil)
	p := open(t, write(t, "tall", Options{}, r.finish(nil)), "#step=ci&tab=log&line=950000")
	p.until(`document.querySelector('.line.here a').textContent === '950000'`)
	place := `document.querySelector('.line.here').getBoundingClientRect()`
	p.until(place + `.top > 100 && ` + place + `.bottom < 800`)
	eval[float64](p, drawn(`const e = document.querySelector('.lines'); e.scrollTop = e.scrollHeight`))
	p.until(`[...document.querySelectorAll('.line')].at(-1).textContent === '1900001the end'`)
	r2 := `[...document.querySelectorAll('.line')].at(-1).getBoundingClientRect()`
	p.until(r2 + `.bottom <= innerHeight + 1`)
}

func TestPrint(t *testing.T) {
	p := open(t, ciPage(t), "#tab=timeline")
	pdf := browser.Run(p.Tab, chromedp.PrintToPDF())
	if len(pdf) < 10_000 {
		t.Errorf("the print has %d bytes", len(pdf))
	}
	// The head, the failures and the whole table are printed.
	p.Media("print", "light")
	p.until(`getComputedStyle(document.querySelector('#table')).display === 'block' && getComputedStyle(document.querySelector('#timeline')).display === 'none'`)
	eval[bool](p, `dispatchEvent(new Event('beforeprint')); true`)
	p.until(`document.querySelectorAll('#steps tbody tr[aria-rowindex]').length === 32`)
	p.shot("print")
	eval[bool](p, `dispatchEvent(new Event('afterprint')); true`)
}
