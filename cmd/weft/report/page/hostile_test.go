//go:build linux && !386

package page

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// payloads are texts that set the title to "obeyed" if the page interprets them.
var payloads = []string{
	`</script><script>document.title='obeyed'</script>`,
	`<img src=x onerror="document.title='obeyed'">`,
	`"><svg onload="document.title='obeyed'">`,
	"\x1b]8;;javascript:document.title='obeyed'\x1b\\link\x1b]8;;\x1b\\",
	"--><!--<script>",
	"&lt;b&gt; ]]> ${document.title='obeyed'} {{title}}",
	"\u202etxt.exe \u2066 \x00 \x9b31m \xff\xfe \u2028",
}

func TestHostileTexts(t *testing.T) {
	r := newRecorder(payloads[0])
	all := strings.Join(payloads, "\n")
	for i, text := range payloads {
		p := r.plan(event.StepID(i+1), "task"+text)
		p.Label = text
	}
	r.planned(0)
	for i, text := range payloads {
		id := event.StepID(i + 1)
		r.start(id, 0, "task"+text, all)
		r.command(id, 0, all, all+"\n"+text+"\n", time.Second, 1)
		r.settle(id, text, event.Failed, func(ev *event.StepSettled) {
			ev.Name, ev.Code, ev.Err, ev.Wrote, ev.Fingerprint = "task"+text, 1, errors.New(all), payloads, all
		})
	}
	html := write(t, "hostile", Options{Before: ciRun(all, 0).Run, BeforeName: all}, r.finish(errors.New(all)))
	if n := strings.Count(string(html), "<script"); n != 3 {
		t.Errorf("the page has %d scripts, want the data, the script and one block of logs", n)
	}
	p := open(t, html, "")
	title := "weft ci"
	check := func(where string) {
		t.Helper()
		if got := eval[string](p, "document.title"); got != title {
			t.Fatalf("%s: the title is %q", where, got)
		}
		if n := eval[int](p, `document.querySelectorAll('img, svg, a[href^=javascript], [onerror], [onload]').length`); n != 0 {
			t.Errorf("%s: %d elements that texts have brought", where, n)
		}
		if eval[bool](p, `/[\u202a-\u202e\u2066-\u2069\u2028\x00\x9b]/.test(document.body.innerText)`) {
			t.Errorf("%s: a character that is not to be obeyed", where)
		}
	}
	check("table")
	p.until(`document.querySelector('#failures').textContent.includes('\\u202etxt.exe')`)
	p.until(`document.querySelector('#failures').textContent.includes('<img src=x onerror=')`)
	p.shot("hostile")
	for range payloads {
		p.press("f")
		p.until(`!document.querySelector('#detail').hidden`)
		for _, tab := range []string{"2", "3", "4"} {
			p.press(tab)
			check("tab " + tab)
		}
		p.until(`document.querySelectorAll('.line').length === 9`)
		check("log")
	}
	p.until(`document.querySelector('.body').textContent.includes('link') && !document.querySelector('.body a[href*=javascript]')`)
	p.shot("hostile-log")
	p.click("#compare summary")
	p.click("#about summary")
	check("menus")
}

// TestOldBrowser checks the page without scripts.
func TestOldBrowser(t *testing.T) {
	html := string(ciPage(t))
	body, _, _ := strings.Cut(html, "<script")
	for _, want := range []string{
		"<h1>weft ci</h1>", "failed · 31.8s · 14 succeeded", `<strong class="failed">✗ unit</strong> exit status 2 after 19.2s, attempt 3 of 3`,
		"    parse_test.go:41: got 3, want 4\n", "DecompressionStream",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(body, "\x1b") {
		t.Error("the page has escape sequences")
	}
}
