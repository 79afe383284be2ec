//go:build linux && !386

package page

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/browser"
)

const slower = 3 * time.Second

// ciPage is a run as people have it, compared with the one before.
func ciPage(t testing.TB) []byte {
	return write(t, "ci", Options{Number: 42, Before: ciRun("0e1d2c3b", 0).Run, BeforeName: "run 41", Again: [2]string{"", " MODE=strict"}}, ciRun("1e1d2c3b", slower))
}

// is waits until the text of an element is want.
func (p *tab) is(selector, want string) {
	p.Helper()
	p.until(fmt.Sprintf("document.querySelector(%q).textContent === %q", selector, want))
}

// in waits until the fragment contains a part.
func (p *tab) in(part string) {
	p.Helper()
	p.until(fmt.Sprintf("location.hash.slice(1).split('&').includes(%q)", part))
}

// notIn waits until the fragment has no part of that name.
func (p *tab) notIn(name string) {
	p.Helper()
	p.until(fmt.Sprintf("!location.hash.slice(1).split('&').some(part => part.startsWith(%q))", name+"="))
}

// firstRow is the name of the step in the first row in view.
const firstRow = `[...document.querySelectorAll('#steps tbody th button')][0].textContent`

func TestHead(t *testing.T) {
	p := open(t, ciPage(t), "")
	p.is("h1", "weft ci")
	p.is("#summary", "failed · 31.8s · 14 succeeded · 6 fresh · 6 restored · 3 failed · 1 skipped · 2 cancelled")
	p.is("title", "weft ci")
	if got := eval[int](p, `document.querySelectorAll('#failures li').length`); got != 2 {
		t.Errorf("%d failures are shown, want 2", got)
	}
	p.is("#failures li:nth-child(2) p", "✗ unit exit status 2 after 19.2s, attempt 3 of 3log why copy command")
	p.shot("table")

	p.click("#about summary")
	p.until(`document.querySelector('#about dl').textContent.includes('2026-11-28 10:35:57 UTC')`)
	p.shot("about")
	p.click("#compare summary")
	p.until(`!document.querySelector('#about').open && document.querySelector('#compare').open`)
	p.until(`document.querySelector('#compare .menu').textContent.includes('run 41, which failed')`)
	p.until(`[...document.querySelectorAll('#compare li')].map(e => e.textContent).join('; ') === 'unit: succeeded → failed; old: succeeded after 0s'`)
	p.shot("compare")
	p.click("#compare li button")
	p.in("step=unit")
	p.until(`!document.querySelector('#compare').open`)

	p.click("#theme")
	p.in("theme=dark")
	p.until(`getComputedStyle(document.body).backgroundColor === 'rgb(13, 17, 23)'`)
	p.shot("dark")
	p.click("#theme")
	p.in("theme=light")
	p.click("#keys")
	p.until(`document.querySelector('#help').open`)
	p.shot("help")
	p.click("#help button")
	p.until(`!document.querySelector('#help').open`)

	p.click("#failures li button")
	p.in("tab=log")
	p.in("step=lint%3Ajs")
	p.click("#failures li:nth-child(2) button:nth-child(2)")
	p.in("step=unit")
	p.until(`document.activeElement.id === 'detail'`)
	p.click("#failures li:nth-child(2) button:nth-child(3)")
	p.is("#count", "copied: weft unit MODE=strict")
}

func TestTable(t *testing.T) {
	p := open(t, ciPage(t), "")
	p.is("#count", "32 steps")
	// Each column sorts ascending, descending, and then not at all.
	for _, c := range []struct{ column, first, last string }{
		{"step", "build:a", "unit"}, {"result", "lint:js", "build:x"}, {"time", "db", "build:x"}, {"queued", "lint:js", "build:x"},
		{"cpu", "build:a", "build:a"}, {"rss", "build:a", "build:a"}, {"cached", "build:c", "build:a"}, {"before", "db", "build:b"}, {"delta", "gen", "build:b"},
	} {
		head := "#steps thead th." + c.column
		p.click(head + " button")
		want := "descending"
		if c.column == "step" || c.column == "result" {
			want = "ascending"
		}
		p.until(fmt.Sprintf(`document.querySelector(%q).getAttribute('aria-sort') === %q && document.querySelectorAll('[aria-sort]').length === 1`, head, want))
		p.until(firstRow + fmt.Sprintf(" === %q", c.first))
		p.click(head + " button")
		p.until(fmt.Sprintf(`document.querySelector(%q).getAttribute('aria-sort') !== %q`, head, want))
		p.click(head + " button")
		p.until(`!document.querySelector('[aria-sort]')`)
		p.notIn("sort")
	}
	p.click("#steps thead th.time button")
	p.click("#steps thead th.time button")
	p.in("sort=time")
	p.until(firstRow + ` === 'build:x'`)
	p.click("#steps thead th.time button")

	// Filters, and totals of the shown rows.
	p.click("#q")
	p.press("BUILD:a")
	p.is("#count", "1 of 32 steps")
	p.is("#steps tfoot td.time", "700ms")
	p.is("#steps tfoot td.step", "1 step")
	p.in("q=BUILD%3Aa")
	p.press(strings.Repeat(kb.Backspace, 7))
	p.is("#count", "32 steps")
	p.choose("#outcome", "restored")
	p.is("#count", "6 of 32 steps")
	p.choose("#outcome", "")
	p.choose("#task", "gen")
	p.is("#count", "1 of 32 steps")
	p.choose("#task", "")
	p.click("#slower")
	p.is("#count", "1 of 32 steps")
	p.shot("slower")
	p.click("#slower")
	p.is("#count", "32 steps")

	// The panel of a step: opened, moved from step to step, closed.
	p.click("#q")
	p.press("gen" + kb.Escape)
	p.click("#steps tbody td.time")
	p.in("step=gen")
	for _, want := range []string{"atTaskfile.yml:16:3", "5.1s, from 10ms to 5.1s", "protoc --go_out=. api.proto", "schema.json has changed", "PATHMODE", "12 files, 79 KiB", "c0ffee", "gen.gogen_test.go", "succeeded after 2.1s +143 %"} {
		p.until(fmt.Sprintf("document.querySelector('#detail').textContent.includes(%q)", want))
	}
	p.shot("detail")
	p.click("#detail dd button") // needed by
	p.in("step=build%3Aa")
	p.click("#detail .acts button:nth-child(2)")
	p.is("#count", "copied: weft build:a MODE=strict")
	p.click("#detail .acts button")
	p.in("tab=log")
	p.click("#detail > button")
	p.until(`document.querySelector('#detail').hidden`)
	p.notIn("step")
}

func TestKeys(t *testing.T) {
	p := open(t, ciPage(t), "")
	p.press("j")
	p.in("step=build%3Aa")
	p.press("jjk")
	p.in("step=build%3Ab")
	p.is("#count", "build:b, fresh")
	p.press(kb.Enter)
	p.until(`document.activeElement.id === 'detail'`)
	p.press(kb.Escape)
	p.until(`document.querySelector('#detail').hidden`)
	p.press("f")
	p.in("step=lint%3Ajs")
	p.press("f")
	p.in("step=unit")
	p.press("ff") // ci also failed, because of another step
	p.in("step=lint%3Ajs")
	for key, tab := range map[string]string{"2": "timeline", "3": "graph", "4": "log"} {
		p.press(key)
		p.in("tab=" + tab)
		p.until(`document.querySelector('#tab-` + tab + `').getAttribute('aria-selected') === 'true' && !document.querySelector('#` + tab + `').hidden`)
	}
	p.press("1")
	p.notIn("tab")
	p.press("/")
	p.until(`document.activeElement.id === 'q'`)
	p.press("j1?") // typed as letters here
	p.in("q=j1%3F")
	p.press(kb.Escape)
	p.until(`document.activeElement.id !== 'q'`)
	p.press("?")
	p.until(`document.querySelector('#help').open`)
	p.press(kb.Escape)
	p.until(`!document.querySelector('#help').open`)

	// Tabs by arrows.
	p.click("#tab-table")
	p.press(kb.ArrowRight)
	p.until(`document.activeElement.id === 'tab-timeline'`)
	p.press(kb.ArrowLeft + kb.ArrowLeft)
	p.until(`document.activeElement.id === 'tab-log' && location.hash.includes('tab=log')`)
}

// board returns a point of the visible canvas, relative to its corner.
func (p *tab) board(x, y float64) (float64, float64) {
	p.Helper()
	at := eval[[]float64](p, `(() => { const r = [...document.querySelectorAll('canvas')].find(e => e.clientWidth).getBoundingClientRect(); return [r.left, r.top]; })()`)
	return at[0] + x, at[1] + y
}

// onto moves the mouse to a place in the graph until its tip begins with a text, and returns where
// that is: the graph may still be getting its final size.
func (p *tab) onto(place, tip string) (x, y float64) {
	p.Helper()
	for end := time.Now().Add(browser.Patience); ; {
		at := eval[[]float64](p, place)
		x, y = p.board(at[0], at[1])
		p.hover(x, y)
		got := p.text("#graph .tip")
		if strings.HasPrefix(got, tip) {
			return x, y
		}
		if time.Now().After(end) {
			p.Fatalf("the tip at %s is %q, want %q", place, got, tip)
		}
	}
}

func TestTimeline(t *testing.T) {
	p := open(t, ciPage(t), "#tab=timeline")
	p.until(`document.querySelector('#timeline canvas').getAttribute('aria-label').startsWith('Timeline: 32 steps in 4 lanes, 31.8s')`)
	p.shot("timeline")
	x, y := p.board(100, 38) // gen, the first in the first lane
	p.hover(x, y)
	p.until(`document.querySelector('#timeline .tip').textContent.startsWith('gen\nsucceeded, 5.1s, from 10ms\nTaskfile.yml:16:3')`)
	p.clickAt(x, y)
	p.in("step=gen")
	p.click(`#timeline [aria-label="zoom in"]`)
	p.until(`location.hash.includes('span=')`)
	p.drag(x+300, y+100, x+200, y+100)
	p.until(`!/span=0-/.test(location.hash)`)
	p.click(`#timeline [aria-label="zoom out"]`)
	p.click(`#timeline [aria-label="show all"]`)
	p.notIn("span")
	p.wheel(x+300, y, -200, true)
	p.until(`location.hash.includes('span=')`)
	p.wheel(x+300, y, 200, false)
	p.press("0")
	p.notIn("span")
	p.press("+")
	p.until(`location.hash.includes('span=')`)
	p.press(kb.ArrowRight + kb.ArrowLeft + kb.ArrowUp + kb.ArrowDown + "-0")
	p.notIn("span")
	p.is(".critical summary", "Critical path: 7 pieces, 31.8s")
	p.until(`[...document.querySelectorAll('.critical li')].at(-2).textContent === 'unit 19.2s, 60 %'`)
	p.click(".critical li:nth-child(6) button")
	p.in("step=unit")
	p.press("kkk") // steps are scrolled into view
	p.press("f")
	p.shot("timeline-selected")
}

func TestGraph(t *testing.T) {
	p := open(t, ciPage(t), "#tab=graph")
	p.until(`document.querySelector('#graph canvas').getAttribute('aria-label').startsWith('Graph of 32 steps.')`)
	p.shot("graph")
	// The last step, which needs all others, is on the right.
	find := `weft.graphPlace(weft.rows.get(%d))`
	x, y := p.onto(fmt.Sprintf(find, 1), "ci\nfailed: by another")
	p.clickAt(x, y)
	p.in("step=ci")
	p.click(`#graph [aria-label="zoom in"]`)
	p.click(`#graph [aria-label="zoom in"]`)
	at := eval[[]float64](p, fmt.Sprintf(find, 3))
	x, y = p.board(400, 200)
	p.drag(x, y, x+80, y+30)
	moved := eval[[]float64](p, fmt.Sprintf(find, 3))
	if moved[0] != at[0]+80 || moved[1] != at[1]+30 {
		t.Errorf("dragged from %v to %v", at, moved)
	}
	p.wheel(x, y, 100, true)
	p.wheel(x, y, 100, false)
	p.click(`#graph [aria-label="zoom out"]`)
	p.press("+-" + kb.ArrowLeft + kb.ArrowRight)
	p.press("f")
	p.in("step=lint%3Ajs")
	p.shot("graph-selected")
	p.click(`#graph [aria-label="show all"]`)
	p.press("0")
}

func TestGroupedGraph(t *testing.T) {
	p := open(t, write(t, "large", Options{}, largeRun(2000)), "#tab=graph")
	p.until(`document.querySelector('#graph canvas').getAttribute('aria-label').startsWith('Graph of 2,000 steps, grouped by task')`)
	p.shot("groups")
	p.clickAt(p.onto(`weft.graphPlace(700)`, "compile:1\n"))
	p.in("open=1")
	p.click(`#graph [aria-label="show all"]`)
	p.shot("group-open")
	p.clickAt(p.onto(`weft.graphPlace(700)`, "compile:1:"))
	p.in("step=compile%3A1%3Asrc%2Fdir" + strings.Split(strings.Split(p.text("#detail h2"), "dir")[1], "/")[0] + "%2Ffile701.c")
	p.press("o") // closes the group of the step
	p.notIn("open")
	p.click("#graph .tools button:last-child")
	p.in("each=1")
	p.until(`document.querySelector('#graph canvas').getAttribute('aria-label').startsWith('Graph of 2,000 steps.')`)
	p.shot("each")
	p.click("#graph .tools button:last-child")
	p.notIn("each")
}

func TestLogs(t *testing.T) {
	p := open(t, ciPage(t), "#tab=log")
	p.is("#log-message", "Select a step to read its log.")
	p.until(`[...document.querySelectorAll('.side button')].map(b => b.textContent).join() === '✓ gen,✗ lint:js,✗ unit,✓ db,✓ encode:part'`)
	p.click(".side button:nth-of-type(3)")
	p.in("step=unit")
	p.is("#log-title", "unit, 1,806 lines")
	p.until(`document.querySelector('.line.head').textContent === '$ go test ./...  (attempt 1 of 3)'`)
	if n := eval[int](p, `document.querySelectorAll('.line').length`); n > 300 {
		t.Errorf("%d lines are in the page", n)
	}
	// Colours: as classes, adjusted where they would be hard to read.
	p.until(`document.querySelectorAll('.line')[2].querySelector('span span').className === 'bold f3'`)
	p.until(`[...document.querySelectorAll('.line')[2].querySelectorAll('span span')].map(e => e.textContent).join('|') === 'warning| |orange| |blue| |inverse| |style'`)
	p.shot("log")

	// Lines are links.
	p.click(".line:nth-of-type(8) a")
	p.in("line=6")
	p.until(`document.querySelector('.line.here').textContent.startsWith('6warning')`)
	p.click("#find")
	p.press("got 3")
	p.until(`document.querySelector('#found').textContent === '3 lines here'`)
	p.press(kb.Enter)
	p.in("line=602")
	p.until(`document.querySelector('.line.here mark').textContent === 'got 3'`)
	p.shot("log-found")
	p.press(kb.Escape + "n")
	p.in("line=1204")
	p.press("N")
	p.in("line=602")
	p.click(`#log [aria-label="next match"]`)
	p.in("line=1204")
	p.click(`#log [aria-label="previous match"]`)
	p.in("line=602")
	p.press("/")
	p.until(`document.activeElement.id === 'find'`)
	p.press(strings.Repeat(kb.Backspace, 5) + "frame")
	p.click("#all")
	p.until(`[...document.querySelectorAll('.side button')].map(b => b.textContent).join() === '✓ encode:part  1'`)
	p.click(".side button")
	p.in("step=encode%3Apart")
	p.until(`document.querySelectorAll('.line')[1].textContent === '1frame 3'`) // the final state of its line
	p.click("#all")
	p.click("#find")
	p.press(strings.Repeat(kb.Backspace, 5))
	p.press(kb.Escape + "1")
	p.until(`!location.hash.includes('tab=')`)

	// A step without output says so.
	p = open(t, ciPage(t), "#step=build%3Ab&tab=log")
	p.is("#log-message", "It wrote nothing.")
}

// TestWrap checks lines that are longer than the window, with characters of two columns.
func TestWrap(t *testing.T) {
	r := newRecorder("1")
	r.plan(1, "ci")
	r.planned(0)
	r.start(1, 0, "ci")
	r.command(1, 0, "cat", strings.Repeat("0123456789", 100)+"\n"+strings.Repeat("漢字", 300)+"\nend\n"+strings.Repeat("x", 5000)+"\n", time.Second, 0)
	r.settle(1, "ci", 1, nil)
	p := open(t, write(t, "wrap", Options{}, r.finish(nil)), "#step=ci&tab=log")
	p.until(`document.querySelectorAll('.line').length === 5 && document.querySelectorAll('.line')[4].textContent.endsWith('1,000 more characters, see with wrap')`)
	p.click("#wrap")
	p.in("wrap=1")
	p.until(`document.querySelectorAll('.line').length > 40`)
	p.until(`[...document.querySelectorAll('.line')].every(e => e.scrollWidth <= document.querySelector('.lines').clientWidth)`)
	p.until(`[...document.querySelectorAll('.line > span')].map(e => e.textContent).join('').includes('漢字'.repeat(300) + 'end')`)
	p.until(`[...document.querySelectorAll('.line > a')].map(e => e.textContent).join('') === '1234'`)
	p.shot("wrap")
	p.Size(1100, 800)
	p.until(`[...document.querySelectorAll('.line')].every(e => e.scrollWidth <= document.querySelector('.lines').clientWidth)`)
	p.until(`[...document.querySelectorAll('.line > span')].map(e => e.textContent).join('').includes('漢字'.repeat(300) + 'end')`)
}

// TestLinks opens addresses that refer to parts of a page.
func TestLinks(t *testing.T) {
	p := open(t, ciPage(t), "#step=unit&tab=log&line=1500&find=warning&theme=dark")
	p.until(`document.querySelector('.line.here').textContent.startsWith('1500warning')`)
	r := `document.querySelector('.line.here').getBoundingClientRect()`
	p.until(r + `.top > 200 && ` + r + `.bottom < 800`)
	// Another address in the same page.
	eval[bool](p, `location.hash = '#step=gen&sort=-time&q=e'; true`)
	p.until(`document.querySelector('#detail h2').textContent === '✓ gen' && document.querySelector('#q').value === 'e'`)
	// Parts that do not exist are ignored.
	eval[bool](p, `location.hash = '#step=nobody&tab=nowhere&line=9&sort=what&outcome=%00&span=9-1&x=y'; true`)
	p.until(`document.querySelector('#detail').hidden && !document.querySelector('#table').hidden`)
	eval[bool](p, `location.hash = '#step=3&tab=timeline&span=NaN-e9'; true`)
	p.until(`document.querySelector('#detail h2').textContent === '✗ lint:js'`)
}

// TestPlan checks the page of a plan, which has no times and no logs.
func TestPlan(t *testing.T) {
	r := newRecorder("")
	r.plan(1, "gen")
	r.plan(2, "unit", 1)
	r.plan(3, "ci", 1, 2)
	r.planned(0)
	p := open(t, write(t, "plan", Options{Plan: true}, report.Finished{Run: r.folder.Run()}), "#tab=log&step=unit")
	p.is("#summary", "plan · 3 steps")
	p.until(`[...document.querySelectorAll('[role=tab]')].filter(e => e.getClientRects().length).map(e => e.textContent).join() === 'Table,Graph'`)
	p.until(`[...document.querySelectorAll('#steps thead th')].map(e => e.textContent).join() === 'step,needs,at'`)
	p.until(`document.querySelector('#detail').textContent.includes('planned')`)
	p.press("4") // there are no logs
	p.until(`!document.querySelector('#table').hidden`)
	p.click("#steps thead th.needs button")
	p.until(firstRow + ` === 'ci'`)
	p.press("3")
	p.until(`document.querySelector('#graph canvas').getAttribute('aria-label').startsWith('Graph of 3 steps.')`)
	p.shot("plan")
}

// TestNotRecorded checks that the log of a step whose output weft did not relay explains how to
// record it.
func TestNotRecorded(t *testing.T) {
	r := newRecorder("1")
	r.start(1, 0, "ci")
	r.folder.Handle(&event.CommandStarted{Time: r.now, Step: 1, Text: "vim", Attempt: 1, Attempts: 1})
	r.settle(1, "ci", event.Succeeded, nil)
	p := open(t, write(t, "past", Options{}, r.finish(nil)), "#step=ci&tab=log")
	p.until(`document.querySelector('#log-message').textContent.includes('--record')`)
}

// TestUnfinishedRun checks the page of a killed run: steps are still running, and none is missing.
func TestUnfinishedRun(t *testing.T) {
	r := newRecorder("1")
	r.plan(1, "a")
	r.plan(2, "b", 1)
	r.planned(0)
	r.start(1, 0, "a")
	r.command(1, 0, "sleep 9", "half a line", time.Second, 0)
	p := open(t, write(t, "killed", Options{}, report.Finished{Run: r.folder.Run(), Logs: &r.logs}), "#step=a&tab=log")
	p.is("#summary", "unfinished · 1s")
	p.until(`[...document.querySelectorAll('.line')].at(-1).textContent === '1half a line'`)
	p.press("1")
	p.until(`[...document.querySelectorAll('#steps tbody td.result')].map(e => e.textContent).join() === 'running,waiting'`)
	p.press("2")
	p.until(`document.querySelector('#timeline canvas').getAttribute('aria-label').startsWith('Timeline: 2 steps in 1 lane, 1.0s')`)
}

// TestCopyCommand checks that the copied command runs a step again in a shell.
func TestCopyCommand(t *testing.T) {
	r := newRecorder("1")
	r.plan(1, "ci")
	r.planned(0)
	step := func(id, parent event.StepID, name string, internal, given bool) {
		r.folder.Handle(&event.StepStarted{Time: r.now, Step: id, Parent: parent, Name: name, Task: name, Internal: internal, GivenVars: given})
		r.folder.Handle(&event.StepSettled{Time: r.now, Step: id, Parent: parent, Name: name, Task: name, Internal: internal, Outcome: event.Succeeded})
	}
	step(1, 0, "ci", false, false)
	step(2, 1, "a b's $(x)", false, false)
	step(3, 2, "given", false, true)
	step(4, 3, "inner", true, false)
	step(5, 0, "nobody's", true, false)
	p := open(t, write(t, "copy", Options{Again: [2]string{" -d 'x y'", " -- z"}}, r.finish(nil)), "")
	for _, c := range []struct{ step, button, want string }{
		{"ci", "copy command", "weft -d 'x y' ci -- z"},
		{"a b's $(x)", "copy command", `weft -d 'x y' 'a b'\''s $(x)' -- z`},
		{"given", "copy command of a b's $(x)", `weft -d 'x y' 'a b'\''s $(x)' -- z`},
		{"inner", "copy command of a b's $(x)", `weft -d 'x y' 'a b'\''s $(x)' -- z`},
	} {
		eval[bool](p, fmt.Sprintf(`(weft.go({step: weft.steps.label.findIndex(l => weft.text(l) === %q)}), true)`, c.step))
		p.is("#detail .acts button:nth-child(2)", c.button)
		p.click("#detail .acts button:nth-child(2)")
		p.is("#count", "copied: "+c.want)
	}
	eval[bool](p, `(weft.go({step: 4}), true)`)
	p.until(`document.querySelector('#detail h2').textContent.endsWith("nobody's") && document.querySelectorAll('#detail .acts button').length === 1`)
}

// TestFits checks that the whole graph is visible at any window size.
func TestFits(t *testing.T) {
	p := open(t, ciPage(t), "#tab=graph")
	for _, width := range []int64{400, 1400} {
		p.Size(width, 800)
		p.until(`(() => {
			const board = document.querySelector('#graph canvas'), places = weft.steps.id.map((_, i) => weft.graphPlace(i));
			const x = places.map(p => p[0]), y = places.map(p => p[1]), {clientWidth: w, clientHeight: h} = board;
			return Math.min(...x) > 0 && Math.max(...x) < w && Math.min(...y) > 0 && Math.max(...y) < h && (Math.max(...x) - Math.min(...x) > w * 0.5 || Math.max(...y) - Math.min(...y) > h * 0.8);
		})()`)
	}
}
