//go:build linux && !386

package ui

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/companion"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/browser"
	"github.com/weftrun/weft/schema/diag"
)

// row is an expression: whether the table has a row with a name and a result.
func row(name, result string) string {
	return `[...document.querySelectorAll('#rows tbody tr')].some(r => r.querySelector('th')?.innerText.trim().endsWith('` + name + `') && r.querySelector('.result').innerText.startsWith('` + result + `'))`
}

// TestBrowser follows a run to its end, and clicks what can be clicked.
func TestBrowser(t *testing.T) {
	r := newRig(t, Options{FlushTimeout: patience, Again: [2]string{" -t x.yml", " A='1 2'"}})
	tab := r.browse()
	shows(tab, `document.getElementById('summary').textContent.startsWith('not begun')`)
	r.tell(begun()...)
	shows(tab, row("lib", "running"))
	shows(tab, row("build", "waiting"))
	shows(tab, `document.title === 'weft build' && !location.href.includes('`+r.token+`')`)
	shows(tab, `document.getElementById('summary').textContent.startsWith('running · ')`)
	shows(tab, `[...document.querySelectorAll('#outcome option')].map(o => o.value).join() === ',running,waiting'`)
	r.tell(&event.Ready{Time: at(2), Step: 1})
	shows(tab, row("lib", "ready"))
	click(tab, "#rows", "lib")
	click(tab, "#tabs", "Logs")
	shows(tab, `document.getElementById('log').innerText.includes('first line')`)
	for _, test := range []struct {
		at, button string
		want       companion.Message
	}{
		{"#detail", "restart", companion.Message{Do: "restart", Task: "1"}},
		{"#detail", "stop step", companion.Message{Do: "stop", Task: "1"}},
		{"#detail", "send", companion.Message{Do: "send", Task: "1", Text: "reload <b> \u202e"}},
		{"#menus", "stop", companion.Message{Do: "stop"}},
	} {
		for _, why := range []string{"it is <i>no\x1b[31m service", ""} {
			if test.want.Text != "" {
				browser.Eval[bool](tab, `document.querySelector('#detail input').value = '`+test.want.Text+`', true`)
			}
			click(tab, test.at, label(test.button))
			m := r.hear()
			if test.want.ID = m.ID; m != test.want {
				t.Errorf("%s: said %+v", test.button, m)
			}
			r.answer(m.ID, why)
			wrong := `[...document.querySelectorAll('` + test.at + ` [role=alert]')].map(e => e.textContent.trim()).join('')`
			if why = strings.ReplaceAll(why, "\x1b", `\x1b`); why != "" {
				shows(tab, wrong+` === `+fmt.Sprintf("%q", why))
			} else {
				shows(tab, wrong+` === ''`)
			}
		}
	}
	r.tell(failed()...)
	shows(tab, `document.getElementById('log').innerText.includes('last line')`)
	shows(tab, `document.querySelector('#failures p').textContent.startsWith('✗ lib exit status 2 after 2.0s')`)
	click(tab, "#detail", "run again")
	m := r.hear()
	if m.Do != "start" || m.Task != "lib" {
		t.Errorf("said %+v", m)
	}
	r.answer(m.ID, "")
	click(tab, "#failures", "copy command of lib")
	shows(tab, `document.getElementById('count').textContent === "copied: weft -t x.yml lib A='1 2'"`)
	r.in.Close()
	shows(tab, `document.getElementById('live').textContent.includes('has ended')`)
	shows(tab, `![...document.querySelectorAll('button')].some(b => ['stop', 'stop step', 'restart', 'run again', 'send'].includes(b.textContent) && b.getClientRects().length)`)
	click(tab, "#tabs", "Table")
	shows(tab, row("build", "skipped"))
	click(tab, "#tabs", "Graph")
	shows(tab, `document.querySelector('#graph canvas').ariaLabel.startsWith('Graph of 2 steps') && weft.graphPlace(0)[0] < weft.graphPlace(1)[0]`)
	click(tab, "#tabs", "Timeline")
	shows(tab, `document.querySelector('.critical summary').textContent === 'Critical path: 2 pieces, 3.0s'`)
	click(tab, "#tabs", "Logs")
	shows(tab, `document.getElementById('log').innerText.includes('last line')`)
}

// label is what the button of the step lib is called by who hears the page.
func label(button string) string {
	switch button {
	case "restart":
		return "restart lib"
	case "stop step":
		return "stop step lib"
	case "send":
		return "send the line to lib"
	}
	return "stop the run"
}

// TestPixel measures how long it takes from an event to what can be seen of it.
func TestPixel(t *testing.T) {
	r := newRig(t, Options{})
	r.tell(begun()...)
	tab := r.browse()
	shows(tab, row("lib", "running"))
	browser.Eval[bool](tab, `(window.seen = {}, function look() {
		for (const e of document.querySelectorAll('#rows tbody th button')) seen[e.textContent] ??= Date.now();
		requestAnimationFrame(look);
	}(), true)`)
	const most = 300 * time.Millisecond
	var took []time.Duration
	for k := range 10 {
		name := fmt.Sprint("step", k)
		began := time.Now()
		r.tell(&event.StepStarted{Time: at(3), Step: event.StepID(10 + k), Name: name, Task: name})
		shows(tab, fmt.Sprintf(`seen[%q]`, name))
		took = append(took, time.UnixMilli(browser.Eval[int64](tab, fmt.Sprintf(`seen[%q]`, name))).Sub(began))
	}
	slices.Sort(took)
	t.Logf("from an event to its pixels: %v at best, %v mostly, is meant to take %v at most", took[0], took[len(took)/2], most)
	if took[0] > 10*time.Second {
		t.Error("the page is slow beyond any doubt")
	}
}

// gate stands between the browser and a room: it can cut all connections.
type gate struct {
	net.Listener
	to string

	mu     sync.Mutex
	shut   bool // new connections are cut at once
	served []net.Conn
}

// gate opens one; the page is behind it then.
func (r *rig) gate() *gate {
	r.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.Fatal(err)
	}
	g := &gate{Listener: l, to: strings.Trim(strings.TrimPrefix(r.url, "http:"), "/")}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", g.to)
			if err != nil {
				c.Close()
				continue
			}
			g.mu.Lock()
			if g.shut {
				c.Close()
				to.Close()
			}
			g.served = append(g.served, c, to)
			g.mu.Unlock()
			all.Go(func() { io.Copy(to, c); to.Close() })
			all.Go(func() { io.Copy(c, to); c.Close() })
		}
	})
	r.Cleanup(func() {
		l.Close()
		g.cut(true)
		all.Wait()
	})
	r.url = "http://" + l.Addr().String() + "/"
	return g
}

// cut ends all connections, and all that come if shut is set.
func (g *gate) cut(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
	for _, c := range g.served {
		c.Close()
	}
	g.served = nil
}

// TestLost: a page whose connection is lost shows that, and continues from where it was.
func TestLost(t *testing.T) {
	r := newRig(t, Options{FlushTimeout: patience})
	g := r.gate()
	r.tell(begun()...)
	tab := r.browse()
	shows(tab, row("lib", "running"))
	g.cut(true)
	shows(tab, `document.getElementById('live').textContent.startsWith('weft is not reached')`)
	r.tell(&event.StepStarted{Time: at(3), Step: 10, Name: "more", Task: "more"})
	click(tab, "#menus", "stop the run")
	shows(tab, `document.querySelector('#menus [role=alert]').textContent === ' weft is not reached'`)
	g.cut(false)
	shows(tab, row("more", "running"))
	shows(tab, `document.getElementById('live').textContent === 'live'`)
	g.cut(false) // once more, between two lines
	r.tell(failed()...)
	shows(tab, row("lib", "failed"))
	r.in.Close()
	shows(tab, `document.getElementById('live').textContent.includes('has ended')`)
	if n := browser.Eval[int](tab, `weft.folded.lines`); n != len(begun())+1+len(failed()) {
		t.Errorf("%d lines were read", n)
	}
}

// TestManyTabs: a browser opens at most six connections to a server. Nevertheless any number of tabs
// follow a run, each can be used, also when others are closed, and all get its end.
func TestManyTabs(t *testing.T) {
	r := newRig(t, Options{FlushTimeout: patience})
	r.tell(begun()...)
	lines := len(begun())
	// seen starts one more step, which all tabs show.
	seen := func(tabs []*browser.Tab) {
		t.Helper()
		lines++
		name := fmt.Sprint("step", lines)
		r.tell(&event.StepStarted{Time: at(3), Step: event.StepID(lines), Name: name, Task: name})
		for _, tab := range tabs {
			shows(tab, row(name, "running"))
		}
	}
	var tabs []*browser.Tab
	for range 8 {
		tab := r.browse()
		shows(tab, row("lib", "running"))
		tabs = append(tabs, tab)
	}
	seen(tabs)
	for _, tab := range tabs {
		click(tab, "#menus", "stop the run")
		r.answer(r.hear().ID, "")
	}
	seen(tabs)
	for range 2 { // the first one holds the connection
		tabs[0].Navigate("about:blank")
		tabs = tabs[1:]
		seen(tabs)
	}
	r.tell(failed()...)
	lines += len(failed())
	r.in.Close()
	for i, tab := range tabs {
		shows(tab, row("lib", "failed"))
		shows(tab, `document.getElementById('live').textContent.includes('has ended')`)
		if n := browser.Eval[int](tab, `weft.folded.lines`); n != lines {
			t.Errorf("tab %d has %d lines, want %d", i, n, lines)
		}
	}
}

// TestAnotherRun: the page of a run that has gone does not show another that is at its address.
func TestAnotherRun(t *testing.T) {
	r := newRig(t, Options{})
	g := r.gate()
	r.tell(begun()...)
	tab := r.browse()
	shows(tab, row("lib", "running"))
	other := newRig(t, Options{})
	other.tell(&event.RunStarted{Time: at(0), Run: "r2", Tasks: []string{"other"}})
	g.mu.Lock()
	g.to = strings.Trim(strings.TrimPrefix(other.url, "http:"), "/")
	g.mu.Unlock()
	g.cut(false)
	shows(tab, `document.getElementById('live').textContent.startsWith('another run is at this address now')`)
	shows(tab, row("lib", "running")+` && !document.body.innerText.includes('weft other')`)
}

// TestHostile: what tasks are called and write is shown, never obeyed.
func TestHostile(t *testing.T) {
	const evil = "</script><img src=x onerror=alert(1)>\u202e\x1b[31m\x1b]8;;javascript:alert(1)\a\u0085<b>&amp;\r\n"
	r := newRig(t, Options{FlushTimeout: patience, Again: [2]string{"", " '" + evil + "'"}})
	r.tell(&event.RunStarted{Time: at(0), Run: evil, Tasks: []string{evil}, Argv: []string{evil}, Dir: evil, CI: evil, Host: evil},
		&event.Planned{Time: at(0), Graph: []event.PlannedStep{{Step: 1, Name: evil, Label: evil, Key: evil}}},
		&event.StepStarted{Time: at(1), Step: 1, Name: evil, Task: evil, Pos: diag.Pos{File: &diag.File{Name: evil}, Line: 1, Column: 1}, Reasons: []string{evil}, Env: []string{evil}, Key: "__proto__"},
		&event.StepStarted{Time: at(1), Step: 2, Name: "__proto__", Task: "constructor"},
		&event.Waiting{Time: at(1), Step: 2, For: evil},
		&event.CommandStarted{Time: at(1), Step: 1, Text: evil, Attempt: 1, Attempts: 1, Relayed: true},
		&event.Output{Time: at(1), Step: 1, Stream: event.Merged, Data: []byte(evil + "\xff\xfe end\n")})
	tab := r.browse()
	shows(tab, `document.querySelectorAll('#rows tbody tr[data-state]').length === 2`)
	look := func() {
		t.Helper()
		for _, name := range []string{"Timeline", "Graph", "Logs", "Table"} {
			click(tab, "#tabs", name)
		}
		browser.Eval[bool](tab, `(weft.go({step: 0, tab: 'log'}), true)`)
		shows(tab, `document.querySelector('#log .lines').innerText.includes('end')`)
		shows(tab, `document.querySelector('#detail h2').textContent.includes('<img src=x onerror=alert(1)>')`)
		if text := browser.Eval[string](tab, `document.documentElement.innerHTML`); strings.ContainsAny(text, "\u202e\x1b\a\u0085") {
			t.Error("a control character is in the page")
		}
		if n := browser.Eval[int](tab, `document.querySelectorAll('img, b, a[href^="javascript"]').length`); n > 0 {
			t.Errorf("%d elements came with a text", n)
		}
	}
	look()
	err := &event.Failure{Text: evil, Shown: evil, Reason: evil}
	r.tell(&event.CommandEnded{Time: at(3), Step: 1, Code: 2, Err: err}, &event.StepSettled{Time: at(3), Step: 1, Name: evil, Task: evil, Outcome: event.Failed, Code: 2, Err: err, Wrote: []string{evil}, Fingerprint: evil, Place: evil},
		&event.RunFinished{Time: at(3), Err: err})
	shows(tab, `document.querySelector('#failures').innerText.includes('<img')`)
	look()
	r.in.Close()
	shows(tab, `document.getElementById('live').textContent.includes('has ended')`)
	look()
}

// TestBusy: a run that writes and settles without end leaves the page usable, and its memory small.
func TestBusy(t *testing.T) {
	r := newRig(t, Options{})
	r.tell(begun()...)
	tab := r.browse()
	shows(tab, row("lib", "running"))
	browser.Eval[bool](tab, `(weft.go({step: 0, tab: 'log'}), true)`)
	const steps = 3000
	var id event.StepID
	line := []byte(strings.Repeat("0123456789", 100) + "\n")
	for id = 100; id < 100+steps; id++ {
		name := fmt.Sprint("s", id)
		r.tell(&event.StepStarted{Time: at(3), Step: id, Name: name, Task: name}, &event.Output{Time: at(3), Step: 1, Stream: event.Merged, Data: line},
			&event.StepSettled{Time: at(4), Step: id, Name: name, Task: name, Outcome: event.Succeeded})
	}
	r.tell(&event.Output{Time: at(4), Step: 1, Stream: event.Merged, Data: []byte("the last\n")})
	shows(tab, `[...document.querySelectorAll('.line')].some(e => e.textContent.endsWith('the last'))`)
	shows(tab, `document.querySelector('#log-title').textContent.startsWith('lib')`)
	click(tab, "#tabs", "Table")
	shows(tab, fmt.Sprintf(`document.getElementById('count').textContent === '%s steps'`, "3,002"))
	if n := browser.Eval[int](tab, `document.querySelectorAll('#rows tr, .line').length`); n > 400 {
		t.Errorf("%d rows and lines are in the page", n)
	}
}
