//go:build linux && !386

package page

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/cmd/weft/report/tracecheck"
	"github.com/weftrun/weft/internal/browser"
)

// speedscopeVersion is the version of speedscope that reads traces.
const speedscopeVersion = "1.25.0"

// TestSpeedscope: speedscope, as it is built, opens a trace, and shows each thread that has slices.
func TestSpeedscope(t *testing.T) {
	index := filepath.Join(browser.FromNPM(t, "speedscope", speedscopeVersion), "dist", "release", "index.html")
	run := ciRun("1e1d2c3b", slower)
	var trace bytes.Buffer
	if err := report.WriteTrace(&trace, run); err != nil {
		t.Fatal(err)
	}
	read, err := tracecheck.Check(trace.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	names, threads := map[[2]int]string{}, map[string]bool{}
	for _, ev := range read.TraceEvents {
		switch ev.Ph {
		case "M":
			names[[2]int{ev.Pid, ev.Tid}] = fmt.Sprint(ev.Args["name"])
		case "X":
			threads[fmt.Sprintf("%s (pid %d), %s (tid %d)", names[[2]int{ev.Pid}], ev.Pid, names[[2]int{ev.Pid, ev.Tid}], ev.Tid)] = true
		}
	}
	if len(threads) < 3 {
		t.Fatalf("threads %v", threads)
	}
	loads := filepath.Join(t.TempDir(), "trace.js")
	text := fmt.Sprintf("speedscope.loadFileFromBase64('trace.json', '%s')", base64.StdEncoding.EncodeToString(trace.Bytes()))
	if err := os.WriteFile(loads, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newTab(t)
	p.Size(1280, 800)
	p.do(chromedp.Navigate(address(index) + "#localProfilePath=" + loads))
	for i, all := 0, len(threads); i < all; i++ {
		title := fmt.Sprintf(" (%d/%d)", i+1, all)
		p.until(fmt.Sprintf("document.body.innerText.includes(%q)", title))
		for line := range strings.Lines(eval[string](p, "document.body.innerText")) {
			if name, ok := strings.CutSuffix(strings.TrimSpace(line), title); ok {
				if !threads[name] {
					t.Errorf("it shows %q, or shows it again", name)
				}
				delete(threads, name)
			}
		}
		p.press("n") // the next one
	}
	for name := range threads {
		t.Errorf("it does not show %q", name)
	}
}
