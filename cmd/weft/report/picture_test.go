package report

import (
	"bytes"
	"flag"
	"fmt"
	"html"
	imagecolor "image/color"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"

	"github.com/weftrun/weft/cmd/weft/recorded"
	"github.com/weftrun/weft/engine/event"
)

var update = flag.Bool("update", false, "draw the pictures of the documentation again")

const pictures = "../../../docs/pictures"

// TestPicture: the picture of the live terminal, of a recorded run after six seconds, is current.
func TestPicture(t *testing.T) {
	events := recordedEvents(t)
	start := events[0].(*event.RunStarted).Time
	term, area := newFakeTerminal(84, 24)
	o := Options{Stdout: NewOut(nil), Stderr: NewOut(nil), Name: "weft", Palette: Palette{On: true}}
	area.Attach(o.Stdout, o.Stderr)
	live := NewLive(o, LiveOptions{Area: area, Style: "interleaved", Estimate: measured(events)})
	term.now = start
	for _, ev := range events {
		at := reflect.ValueOf(ev).Elem().FieldByName("Time").Interface().(time.Time)
		if at.Sub(start) > 6*time.Second {
			break
		}
		for ; term.now.Before(at); term.now = term.now.Add(progressInterval) {
			live.Tick(term.now)
		}
		live.Handle(ev)
	}
	live.Tick(term.now)

	got := drawScreen(term, "weft ci")
	name := filepath.Join(pictures, "terminal.svg")
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s does not show what weft draws (%v); run: weft pictures\n%s", name, err, shownBy(term.Emulator))
	}
	if len(got) > 60<<10 {
		t.Errorf("%s has %d bytes", name, len(got))
	}
}

// recordedEvents returns the events of the run shown in the pictures.
func recordedEvents(t *testing.T) (events []event.Event) {
	t.Helper()
	f, err := recorded.Open(filepath.Join(pictures, "run.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for {
		ev, err := f.Next()
		if err == io.EOF {
			return events
		}
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, ev)
	}
}

// measures is an [Estimate] of one run.
type measures struct {
	steps int
	took  map[string]time.Duration
}

// measured returns the durations in events.
func measured(events []event.Event) *measures {
	m := &measures{took: map[string]time.Duration{}}
	started := map[event.StepID]*event.StepStarted{}
	for _, ev := range events {
		switch ev := ev.(type) {
		case *event.Planned:
			m.steps += ev.Steps
		case *event.StepStarted:
			started[ev.Step] = ev
		case *event.StepSettled:
			if s := started[ev.Step]; s != nil {
				m.took[s.Key] = ev.Time.Sub(s.Time)
			}
		}
	}
	return m
}

func (m *measures) Duration(key string) time.Duration { return m.took[key] }
func (m *measures) Steps([]string) int                { return m.steps }

// The measures of a picture, in pixels.
const (
	cellWidth  = 8
	cellHeight = 18
	fontSize   = 13.2
	margin     = 16
	titleBar   = 34
)

// drawScreen returns the contents of a terminal as SVG. Each piece of text has a fixed width, so
// that fonts do not move it.
func drawScreen(f *fakeTerminal, title string) []byte {
	last := 0
	for y := range f.Height() {
		for x := range f.Width() {
			if c := f.CellAt(x, y); c != nil && strings.TrimSpace(c.Content) != "" {
				last = y
			}
		}
	}
	width, height := f.Width()*cellWidth+2*margin, titleBar+(last+1)*cellHeight+margin
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="%v">
<title>A terminal in which %s runs</title>
<rect width="100%%" height="100%%" rx="8" fill="#161b22"/>
<circle cx="20" cy="17" r="5" fill="#f47067"/><circle cx="38" cy="17" r="5" fill="#daaa3f"/><circle cx="56" cy="17" r="5" fill="#57ab5a"/>
<text x="%d" y="21" fill="#768390" text-anchor="middle">%s</text>
`, width, height, width, height, fontSize, html.EscapeString(title), width/2, html.EscapeString(title))
	for y := range last + 1 {
		for x := 0; x < f.Width(); {
			style, from, text := *f.styleAt(x, y), x, ""
			for ; x < f.Width() && style.Equal(f.styleAt(x, y)); x++ {
				if c := f.CellAt(x, y); c != nil && c.Content != "" {
					text += c.Content
				} else {
					text += " "
				}
			}
			shown := strings.TrimRight(text, " ")
			lead := len(shown) - len(strings.TrimLeft(shown, " "))
			if shown = shown[lead:]; shown == "" {
				continue
			}
			bold := ""
			if style.Attrs&uv.AttrBold != 0 {
				bold = ` font-weight="bold"`
			}
			fmt.Fprintf(&b, `<text x="%d" y="%d" textLength="%d" xml:space="preserve" fill="%s"%s>%s</text>`+"\n",
				margin+(from+lead)*cellWidth, titleBar+y*cellHeight+13, ansi.StringWidth(shown)*cellWidth, inkOf(style.Fg), bold, html.EscapeString(shown))
		}
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (f *fakeTerminal) styleAt(x, y int) *uv.Style {
	if c := f.CellAt(x, y); c != nil {
		return &c.Style
	}
	return &uv.Style{}
}

// inkOf returns c as shown on a dark background.
func inkOf(c imagecolor.Color) string {
	basic := [...]string{"#545d68", "#f47067", "#57ab5a", "#daaa3f", "#539bf5", "#b083f0", "#39c5cf", "#adbac7",
		"#768390", "#ff938a", "#6bc46d", "#eac55f", "#6cb6ff", "#dcbdfb", "#56d4dd", "#cdd9e5"}
	switch c := c.(type) {
	case nil:
		return "#cdd9e5"
	case ansi.BasicColor:
		return basic[c]
	}
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}
