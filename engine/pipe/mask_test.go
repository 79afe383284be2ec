package pipe

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

func TestMask(t *testing.T) {
	var s Secrets
	if s.Add("abc") {
		t.Error("a short value is taken")
	}
	for _, v := range []string{"true", "false", "null", strings.Repeat("x", MaxSecret+1)} {
		if s.Add(v) {
			t.Errorf("%.9q is taken", v)
		}
	}
	if got := s.Mask("abc"); got != "abc" {
		t.Errorf("got %q", got)
	}
	for _, v := range []string{"hunter22", "hunter22-long", "pass word/1", "line one\nline two\n", "aaab", "it's \"two\" $w\\", "tab\there\x1b", "    "} {
		if !s.Add(v) {
			t.Errorf("%q is not taken", v)
		}
	}
	for in, want := range map[string]string{
		"x hunter22 y":                            "x ***** y",
		"hunter22-long":                           "*****",
		"hunter22-lon":                            "*****-lon",
		"hunter2":                                 "hunter2",
		"hunterhunter22":                          "hunter*****",
		"aaaab aaab":                              "a***** *****",
		"line two":                                "*****",
		"  line one":                              "  *****",
		"true false null":                         "true false null",
		"a    b":                                  "a    b",
		"{\"k\":\"it's \\\"two\\\" $w\\\\\"}":     "{\"k\":\"*****\"}",
		`'it'\''s "two" $w\'`:                     `'*****'`,
		`"it's \"two\" \$w\\"`:                    `"*****"`,
		`tab\there\x1b tab	here\x1b`:              "***** *****",
		"line one\\nline two":                     "*****",
		"line one\nline two":                      "*****",
		"?q=" + url.QueryEscape("pass word/1"):    "?q=*****",
		"/" + url.PathEscape("pass word/1") + "/": "/*****/",
	} {
		if got := s.Mask(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	for before := range 7 {
		for after := range 7 {
			text := strings.Repeat("u", before) + "hunter22-long" + strings.Repeat("v", after)
			for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
				got := s.Mask(enc.EncodeToString([]byte(text)))
				if !strings.Contains(got, Masked) || len(got) > len(Masked)+2*(before+after)+8 {
					t.Errorf("%d before, %d after: %q", before, after, got)
				}
			}
		}
	}
}

// maskInPieces masks text cut into pieces by r.
func maskInPieces(s *Secrets, text []byte, r *rand.Rand) string {
	var b bytes.Buffer
	w := s.Writer(&b)
	for len(text) > 0 {
		n := 1 + r.IntN(min(len(text), 9))
		w.Write(text[:n])
		text = text[n:]
	}
	w.Flush()
	return b.String()
}

// TestMaskSplits: the masked text is the same however a text is cut, and contains no secret. A
// million ways of cutting are tried; the seed is fixed.
func TestMaskSplits(t *testing.T) {
	splits := 1_000_000
	if testing.Short() {
		splits = 50_000
	}
	r := rand.New(rand.NewPCG(1, 2))
	secrets := []string{"abab", "ababc", "bcab", "aaaa", "cabaab"}
	var s Secrets
	for _, v := range secrets {
		s.Add(v)
	}
	for n := 0; n < splits; {
		text := make([]byte, 1+r.IntN(40))
		for i := range text {
			text[i] = "abc"[r.IntN(3)]
		}
		want := s.Mask(string(text))
		for range 100 {
			if got := maskInPieces(&s, text, r); got != want {
				t.Fatalf("%q: got %q, want %q", text, got, want)
			}
			n++
		}
		for _, v := range secrets {
			if strings.Contains(want, v) {
				t.Fatalf("%q: %q is shown in %q", text, v, want)
			}
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add("hunter22", []byte("xhunter22hunter2"), uint64(1))
	f.Fuzz(func(t *testing.T, secret string, text []byte, seed uint64) {
		var s Secrets
		if !s.Add(secret) || !s.Any() {
			return
		}
		secret = strings.TrimRight(secret, "\r\n")
		if strings.Contains(secret, "*") {
			return // the mask itself may make one
		}
		r := rand.New(rand.NewPCG(seed, 0))
		want := s.Mask(string(text))
		if got := maskInPieces(&s, text, r); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if strings.Contains(want, secret) {
			t.Errorf("%q is shown in %q", secret, want)
		}
	})
}

func BenchmarkMask(b *testing.B) {
	var s Secrets
	s.Add("hunter22-and-more")
	text := bytes.Repeat([]byte("an ordinary line of a build, with some hints in it\n"), 1000)
	w := s.Writer(discard{})
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		w.Write(text)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// TestMaskCut: the name of a process may end within a secret.
func TestMaskCut(t *testing.T) {
	var s Secrets
	s.Add("hunter22-long-enough")
	for in, want := range map[string]string{
		"run-hunter22-lo": "run-*****",
		"hunter22-long-e": "*****",
		"sleep":           "sleep",
		"hunter22":        "hunter22", // shorter than what the kernel keeps
		"a-long-name-hun": "a-long-name-hun",
	} {
		if got := s.MaskCut(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// TestManySecrets: the cost is linear in the size of the secrets, and their number is limited.
func TestManySecrets(t *testing.T) {
	var s Secrets
	for i := range 10_000 {
		if !s.Add("secret-" + strings.Repeat("x", i%10) + strconv.Itoa(i)) {
			t.Fatalf("%d are too many", i)
		}
	}
	if got := s.Mask("a secret-xxx9903 b"); got != "a ***** b" || s.Full() {
		t.Errorf("got %q, full: %v", got, s.Full())
	}
	n := 0
	for s.Add("secret-" + strings.Repeat("y", 1000) + strconv.Itoa(n)) {
		n++
	}
	if n > 1000 || !s.Full() || s.Add("one more secret") || !s.Add("secret-xxx9903") {
		t.Errorf("%d more, full: %v", n, s.Full())
	}
	if got := s.Mask("a secret-xxx9903 b"); got != "a ***** b" {
		t.Errorf("got %q", got)
	}
}

func TestMaskHead(t *testing.T) {
	var s Secrets
	if got := s.MaskHead([]byte("aä"), 2); got != "a" {
		t.Errorf("without secrets %q", got)
	}
	s.Add("secretsecret")
	long := strings.Repeat("x", 2*MaxSecret)
	for _, test := range []struct {
		text string
		n    int
		want string
	}{
		{"a secretsecret b", 100, "a ***** b"}, {"a secretsecret b", 4, "a **"}, {"a secretsecre", 100, "a secretsecre"},
		{"secretsecret " + long, 10, "***** xxxx"}, {"ää", 3, "ä"}, {"", 3, ""},
	} {
		if got := s.MaskHead([]byte(test.text), test.n); got != test.want {
			t.Errorf("%.20q, %d: %q, want %q", test.text, test.n, got, test.want)
		}
	}
	// The examined text ends within a secret, and masks make room for it.
	n := 20
	text := strings.Repeat("secretsecret", (n+MaxSecret)/12) + "secretsecret" + long
	if got := s.MaskHead([]byte(text), n); strings.Contains(got, "s") || len(got) != n {
		t.Errorf("got %q", got)
	}
}
