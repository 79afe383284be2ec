package recorded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/event"
)

const resumed = `{"event":"resumed","time":"2026-01-01T00:00:00Z","step":1}`

func write(t *testing.T, content string) *File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "run.ndjson")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// all returns the number of events in f before its end, or the error.
func all(f *File) (n int, err error) {
	for {
		ev, err := f.Next()
		if err != nil {
			return n, err
		}
		if ev == nil {
			return n, errors.New("no event and no error")
		}
		n++
	}
}

func TestNext(t *testing.T) {
	long := `{"event":"prompt_assumed","time":"2026-01-01T00:00:00Z","step":1,"text":"` + strings.Repeat("x", 200_000) + `"}`
	for name, tt := range map[string]struct {
		content string
		events  int
		line    int    // of the error, 0 for none
		why     string // contained in it
	}{
		"nothing":             {"", 0, 0, ""},
		"events":              {resumed + "\n" + resumed + "\n", 2, 0, ""},
		"long lines":          {long + "\n" + resumed + "\n" + long + "\n", 3, 0, ""},
		"later events":        {`{"event":"later"}` + "\n" + resumed + "\n" + `{"event":"later"}` + "\n", 1, 0, ""},
		"cut":                 {resumed + "\n" + resumed[:20], 1, 2, "the file ends within this line"},
		"cut before the end":  {resumed + "\n" + resumed, 1, 2, "the file ends within this line"},
		"cut, long":           {resumed + "\n" + long[:150_000], 1, 2, "the file ends within this line"},
		"malformed":           {resumed + "\n" + resumed + "\n{]\n" + resumed + "\n", 2, 3, "invalid character"},
		"an empty line":       {resumed + "\n\n" + resumed + "\n", 1, 2, "unexpected end of JSON input"},
		"not text":            {"\x7fELF\x02\x01\x01\x00\xff\n", 0, 1, "not UTF-8"},
		"an older version":    {`{"event":"run_started","time":"2026-01-01T00:00:00Z","version":1}` + "\n", 0, 1, "version 1"},
		"after a later event": {`{"event":"later"}` + "\n{\n", 0, 2, "unexpected end"},
	} {
		f := write(t, tt.content)
		for range 2 {
			n, err := all(f)
			switch {
			case n != tt.events:
				t.Errorf("%s: %d events, want %d", name, n, tt.events)
			case tt.line == 0 && err != io.EOF:
				t.Errorf("%s: %v", name, err)
			case tt.line > 0 && (err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("%s:%d: ", f.f.Name(), tt.line)) || !strings.Contains(err.Error(), tt.why)):
				t.Errorf("%s: %v, want %s at line %d", name, err, tt.why, tt.line)
			}
			if err := f.Rewind(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestHugeLine: an endless line takes no more memory than the limit.
func TestHugeLine(t *testing.T) {
	f := write(t, resumed+"\n")
	if err := os.Truncate(f.f.Name(), 1<<40); err != nil {
		t.Skip(err)
	}
	n, err := all(f)
	if n != 1 || err == nil || !strings.HasSuffix(err.Error(), ":2: longer than 64 MiB") {
		t.Errorf("%d events, %v", n, err)
	}
}

// TestEventsStay: an event is unchanged after the next one was read.
func TestEventsStay(t *testing.T) {
	f := write(t, `{"event":"output","time":"2026-01-01T00:00:00Z","step":1,"command":0,"stream":"stdout","data":"first"}`+"\n"+
		`{"event":"output","time":"2026-01-01T00:00:00Z","step":1,"command":0,"stream":"stdout","data":"other"}`+"\n")
	first, _ := f.Next()
	f.Next()
	if got := string(first.(*event.Output).Data); got != "first" {
		t.Errorf("it is %q now", got)
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a directory: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "x")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	f := write(t, "")
	if !f.Same(f.f.Name()) || f.Same(dir) || f.Same(filepath.Join(dir, "x")) {
		t.Error("Same does not know its file")
	}
}
