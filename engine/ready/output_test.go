package ready

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftrun/weft/engine/clock"
)

// newStoppedFor returns a clock that is stopped for d from now on.
func newStoppedFor(d time.Duration) *clock.Clock {
	c := new(clock.Clock)
	c.Pause()
	time.AfterFunc(d, c.Resume)
	return c
}

// TestOutput: a line matches however it is divided, and two lines never match together.
func TestOutput(t *testing.T) {
	long := strings.Repeat("x", mostLine)
	for _, test := range []struct {
		name, pattern string
		pieces        []string // of one stream
		found         bool
		last          string
	}{
		{"whole", "^ready$", []string{"starting\nready\n"}, true, "ready"},
		{"in pieces", "^ready$", []string{"starting\nre", "a", "dy", "\n"}, true, "ready"},
		{"carriage return", "^ready$", []string{"ready\r\n"}, true, "ready"},
		{"two lines", "starting.*ready", []string{"starting\nready\n"}, false, "ready"},
		{"empty lines", "ready", []string{"starting\n", "\n", " \r\n"}, false, "starting"},
		{"colours", "^listening on :80$", []string{"\x1b[1;32mlistening\x1b[0m on \x1b]8;;http://x\x1b\\:80\x1b]8;;\a\n"}, true, "listening on :80"},
		{"colours that are asked for", "\x1b\\[1m", []string{"\x1b[1mready\n"}, true, "ready"},
		{"broken sequences", "^\x1b\\[12$", []string{"\x1b[12\n"}, true, "\x1b[12"},
		{"no text", "é", []string{"\xff\xfe\n"}, false, "\xff\xfe"},
		{"unterminated", "^login:", []string{"login: "}, false, ""},
		{"long", "^x+$", []string{long, long, "\n"}, true, long[:mostKept]},
		{"beyond the limit", "y", []string{long + "y\n", long, "y\n" + long, "y\n"}, false, long[:mostKept]},
		{"after a long one", "^y$", []string{long + "z", long, "\ny\n"}, true, "y"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := NewOutput(regexp.MustCompile(test.pattern), nil)
			defer o.Close()
			s := o.Stream().(*stream)
			for _, p := range test.pieces {
				if n, err := s.Write([]byte(p)); n != len(p) || err != nil {
					t.Errorf("%d, %v", n, err)
				}
				if cap(s.partial) > 2*mostLine {
					t.Errorf("holds %d bytes", cap(s.partial))
				}
			}
			if got := string(o.last); o.done != test.found || got != test.last {
				t.Errorf("found: %v, the last line is %q", o.done, got)
			}
		})
	}
}

// TestOutputRests: an incomplete line, such as a prompt, counts after a pause, but not while more
// output arrives.
func TestOutputRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := NewOutput(regexp.MustCompile("^login: $"), nil)
		p := Probe{Kind: Log, Output: o}
		start := time.Now()
		out, errs := o.Stream(), o.Stream()
		time.AfterFunc(time.Second, func() { out.Write([]byte("login: ")) })
		time.AfterFunc(time.Second+restsAfter/2, func() { out.Write([]byte("root\nlog")) })
		time.AfterFunc(time.Second+restsAfter, func() { out.Write([]byte("in: ")); errs.Write([]byte("noise\nnoise")) })
		if err := p.Wait(t.Context(), nil); err != nil || time.Since(start) != time.Second+2*restsAfter {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		out.Write([]byte("more"))
	})
}

// TestOutputSeen: if no line matches, the last one is reported.
func TestOutputSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := NewOutput(regexp.MustCompile(`listening on \d+`), nil)
		p := Probe{Kind: Log, Output: o, Timeout: time.Second}
		err := p.Wait(t.Context(), nil)
		if want := "not ready within 1s: it has written nothing; waiting for a line that matches \"listening on \\\\d+\" (timeout under ready sets another limit)"; err == nil || err.Error() != want {
			t.Errorf("%v", err)
		}
		o.Stream().Write([]byte("compiling\xff\n\n"))
		ended := make(chan struct{})
		close(ended)
		err = p.Wait(t.Context(), ended)
		if want := "it ended before it was ready (no line matches \"listening on \\\\d+\"; the last one is \"compiling\uFFFD\")"; err == nil || err.Error() != want {
			t.Errorf("%v", err)
		}
		o.Close()
		o.Stream().Write([]byte("listening on 80\n"))
		if err := p.Wait(t.Context(), nil); err == nil {
			t.Error("found after Close")
		}
	})
}

// TestWithLastLine: an error of a command contains the end of its output.
func TestWithLastLine(t *testing.T) {
	failed := errors.New("exit status 1")
	for output, want := range map[string]string{
		"":                              "exit status 1",
		" \n\r\n":                       "exit status 1",
		"a\nno such database\n\n":       "exit status 1 (no such database)",
		"10%\r20%":                      "exit status 1 (20%)",
		"\x1b[31mno\x1b[0m":             "exit status 1 (no)",
		"\xff":                          "exit status 1 (\uFFFD)",
		strings.Repeat("x", mostLine*2): "exit status 1 (" + strings.Repeat("x", mostShown) + ")",
	} {
		if err := WithLastLine(failed, []byte(output), nil); err.Error() != want || !errors.Is(err, failed) {
			t.Errorf("%.20q: %v", output, err)
		}
	}
	if err := WithLastLine(nil, []byte("x"), nil); err != nil {
		t.Error(err)
	}
}

// TestMask: text is masked before it is cut, so that no part of a secret remains.
func TestMask(t *testing.T) {
	const secret = "0123456789"
	mask := func(s string) string {
		return strings.ReplaceAll(strings.ReplaceAll(s, secret, "*"), secret[:5], "*")
	}
	line := strings.Repeat("x", mostShown-5) + secret
	o := NewOutput(regexp.MustCompile("never"), nil)
	o.Mask = mask
	fmt.Fprintln(o.Stream(), line)
	for _, text := range []string{o.seen(), WithLastLine(errNot, []byte(line), mask).Error()} {
		if strings.Contains(text, secret[:2]) || !strings.Contains(text, "x*") {
			t.Error(text)
		}
	}
}

// TestHostileSequences: a text of many incomplete sequences is scanned once.
func TestHostileSequences(t *testing.T) {
	for _, part := range []string{"\x1b", "\x1b]", "\x1b[", "\x1b[1", "\x1b]a\x1b[;"} {
		o := NewOutput(regexp.MustCompile("never"), nil)
		start := time.Now()
		fmt.Fprintln(o.Stream(), strings.Repeat(part, mostLine/len(part)))
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%q: took %s", part, took)
		}
	}
}

// FuzzOutput: a line is found however the output is divided.
func FuzzOutput(f *testing.F) {
	f.Add([]byte("a\nready\nb"), uint(3))
	f.Add([]byte("\x1b[1mready\x1b]0;x\a\r\n"), uint(1))
	f.Fuzz(func(t *testing.T, text []byte, size uint) {
		text = append(text, '\n')
		found := [2]bool{}
		for i, size := range []int{len(text), 1 + int(size%uint(len(text)))} {
			o := NewOutput(regexp.MustCompile("^ready"), nil)
			s := o.Stream()
			for rest := text; len(rest) > 0; rest = rest[min(size, len(rest)):] {
				s.Write(rest[:min(size, len(rest))])
			}
			o.Close()
			found[i] = isClosed(o.found)
		}
		if found[0] != found[1] {
			t.Errorf("%q: found at once: %v, in pieces of %d: %v", text, found[0], size, found[1])
		}
	})
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
