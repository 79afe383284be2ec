//go:build linux && !386

package page

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/weftrun/weft/cmd/weft/recorded"
	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/browser"
)

// TestPicture: the picture of the page is current. Browsers render the same page slightly
// differently, so page.sha256 identifies the content of the picture.
func TestPicture(t *testing.T) {
	const pictures = "../../../../docs/pictures"
	run := recordedRun(t, filepath.Join(pictures, "run.ndjson"))
	sum, err := os.ReadFile(filepath.Join(pictures, "page.sha256"))
	if err != nil && !*update {
		t.Fatal(err)
	}
	now := contentSum(t, run)
	if *update && now != string(sum) {
		p := open(t, write(t, "picture", Options{}, run), "#tab=timeline&step=lint:js&theme=dark")
		p.Size(1100, 600)
		p.until(`document.querySelector('#timeline canvas').getAttribute('aria-label').startsWith('Timeline')`)
		png := p.picture()
		for name, data := range map[string][]byte{"page.png": png, "page.sha256": []byte(now)} {
			if err := os.WriteFile(filepath.Join(pictures, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		sum = []byte(now)
	}
	if now != string(sum) {
		t.Errorf("docs/pictures/page.png was taken of another page; run: weft pictures")
	}
	info, err := os.Stat(filepath.Join(pictures, "page.png"))
	if err != nil || info.Size() > 250<<10 {
		t.Errorf("page.png: %v, %v", info, err)
	}
}

// picture returns the visible part as PNG.
func (p *tab) picture() []byte { return browser.Run(p.Tab, chromedp.CaptureScreenshot()) }

// recordedRun returns the run recorded in a file.
func recordedRun(t *testing.T, name string) report.Finished {
	t.Helper()
	f, err := recorded.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var folder model.Folder
	logs := new(report.Logs)
	for {
		ev, err := f.Next()
		if errors.Is(err, io.EOF) {
			return report.Finished{Run: folder.Run(), Logs: logs}
		}
		if err != nil {
			t.Fatal(err)
		}
		folder.Handle(ev)
		if out, ok := ev.(*event.Output); ok {
			logs.Handle(out)
		}
	}
}

// contentSum returns a checksum of the page of a run, in hexadecimal; of compressed data it uses
// the content, because another version of Go may compress differently.
func contentSum(t *testing.T, run report.Finished) string {
	t.Helper()
	p := newPage(Options{}, run)
	var err error
	if p.assets, err = unpack(packed); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString(strings.Join([]string{p.template, p.style, p.code, p.summary()}, "\n"))
	out := bufio.NewWriter(&b)
	err = errors.Join(p.planLogs(), p.writeFailures(out), p.writeData(out), out.Flush())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b.Bytes())
	return hex.EncodeToString(sum[:]) + "\n"
}
