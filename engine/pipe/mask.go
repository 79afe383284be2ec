package pipe

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/weftrun/weft/schema/diag"
)

// Masked is shown instead of a secret.
const Masked = "*****"

// minSecret is the length of the shortest secret that is masked. A shorter one would also mask
// unrelated text.
const minSecret = 4

// MaxSecret is the length of the longest secret that is masked. A secret takes many times
// its length in memory.
const MaxSecret = 64 << 10

// maxSecrets is the largest total length of all secrets.
const maxSecrets = 4 * MaxSecret

// Secrets is a set of values that must not be shown. The zero value is empty. It is safe for
// concurrent use.
type Secrets struct {
	mu    sync.Mutex // guards known and size, and locked while trie is made
	known map[string]bool
	size  int                  // total length of known, and of one that was too much
	trie  atomic.Pointer[trie] // nil until it is needed
	any   atomic.Bool          // known is not empty
}

// Add makes value a secret: as it is and each of its lines, quoted or escaped, encoded for
// URLs and in base64, and also inside of a longer text. It returns false if value cannot be
// masked: it is longer than MaxSecret, too short or too common a word, or there are too many
// secrets.
func (s *Secrets) Add(value string) bool {
	value = strings.TrimRight(value, "\r\n")
	if strings.TrimSpace(value) == "" {
		return true // nothing to mask
	}
	if len(value) < minSecret || len(value) > MaxSecret || value == "true" || value == "false" || value == "null" {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[value] {
		return true
	}
	if s.size += len(value); s.size > maxSecrets {
		return false
	}
	if s.known == nil {
		s.known = map[string]bool{}
	}
	s.known[value] = true
	s.trie.Store(nil) // made again when it is needed
	s.any.Store(true)
	return true
}

// Full reports whether there are more secrets than can be masked.
func (s *Secrets) Full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size > maxSecrets
}

// automaton returns the trie of all secrets, or nil if there are none.
func (s *Secrets) automaton() *trie {
	if t := s.trie.Load(); t != nil || !s.any.Load() {
		return t
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.trie.Load(); t != nil {
		return t
	}
	t := &trie{}
	for v := range s.known {
		for _, form := range forms(v) {
			t.add(form)
		}
	}
	s.trie.Store(t)
	return t
}

// forms returns the texts that reveal the secret v.
func forms(v string) []string {
	out := append(escapedForms(v), v, url.QueryEscape(v), url.PathEscape(v))
	if inner := strings.TrimSpace(v); len(inner) >= minSecret {
		out = append(out, inner)
	}
	if strings.Contains(v, "\n") {
		for line := range strings.Lines(v) {
			if line = strings.TrimSpace(line); len(line) >= minSecret {
				out = append(append(out, line), escapedForms(line)...)
			}
		}
	}
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		// Bytes before v may shift it by one or two. Then its first and last letters
		// also depend on its neighbours.
		for before := range 3 {
			text := enc.EncodeToString([]byte(strings.Repeat("\x00", before) + v))
			text = text[[3]int{0, 2, 3}[before]:]
			if (before+len(v))%3 != 0 {
				text = text[:len(text)-1]
			}
			if len(text) >= minSecret {
				out = append(out, text)
			}
		}
	}
	return out
}

// escapedForms returns v as it is written in quotes in Go, JSON and the shell, and with
// control characters escaped; without the quotes around it.
func escapedForms(v string) []string {
	quoted := strconv.Quote(v)
	out := []string{quoted[1 : len(quoted)-1], diag.Printable(v), strings.ReplaceAll(v, "'", `'\''`), shellQuoted.Replace(v)}
	for _, html := range []bool{true, false} {
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(html)
		if enc.Encode(v) == nil {
			out = append(out, strings.Trim(b.String(), "\n")[1:b.Len()-2])
		}
	}
	return out
}

// shellQuoted escapes what has a meaning in double quotes in the shell.
var shellQuoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`")

// commLength is the length to which the kernel cuts a program's name, in bytes.
const commLength = 15

// MaskCut is Mask for the name of a process. The kernel keeps only the beginning of a name,
// so it may end within a secret.
func (s *Secrets) MaskCut(name string) string {
	t := s.automaton()
	if t == nil || len(name) < commLength {
		return s.Mask(name)
	}
	out, held := t.mask(nil, []byte(name), false)
	if len(held) >= minSecret {
		return string(out) + Masked
	}
	return s.Mask(name)
}

// Mask returns text with the secrets masked.
func (s *Secrets) Mask(text string) string {
	if !s.Any() {
		return text
	}
	var b strings.Builder
	w := s.Writer(&b)
	io.WriteString(w, text)
	w.Flush()
	return b.String()
}

// MaskHead returns the first n bytes of text, or fewer so that no UTF-8 character is cut, with the
// secrets masked. A secret that begins there is masked even if it ends later.
func (s *Secrets) MaskHead(text []byte, n int) string {
	if s.Any() {
		part := text[:min(len(text), n+MaxSecret)]
		var b bytes.Buffer
		w := s.Writer(&b)
		w.Write(part)
		if len(part) == len(text) {
			w.Flush()
		}
		text = b.Bytes()
	}
	if len(text) <= n {
		return string(text)
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return string(text[:n])
}

// Contains reports whether text reveals a secret.
func (s *Secrets) Contains(text string) bool { return s.Any() && s.Mask(text) != text }

// Any reports whether there is a secret.
func (s *Secrets) Any() bool { return s.any.Load() }

// trie is an automaton that finds the longest secret at a place. It has a state for each
// prefix of a secret; the root is 0.
type trie struct {
	states []state
	first  [256]bool // the first bytes of secrets
}

type state struct {
	more map[byte]int32 // further next states; usually nil
	next int32          // the next state for c, or 0
	c    byte
	end  bool // the end of a secret
}

// follow returns the next state for c, or 0.
func (s *state) follow(c byte) int32 {
	if s.c == c {
		return s.next
	}
	return s.more[c]
}

func (t *trie) add(word string) {
	if t.states == nil {
		t.states = []state{{}}
	}
	at := int32(0)
	for i := range len(word) {
		next := t.states[at].follow(word[i])
		if next == 0 {
			next = int32(len(t.states))
			t.states = append(t.states, state{})
			switch from := &t.states[at]; {
			case from.next == 0:
				from.c, from.next = word[i], next
			case from.more == nil:
				from.more = map[byte]int32{word[i]: next}
			default:
				from.more[word[i]] = next
			}
		}
		at = next
	}
	t.states[at].end = true
	t.first[word[0]] = true
}

// find returns the length of the longest secret that b begins with, or 0. If more is true,
// a secret, or a longer one, may continue after b.
func (t *trie) find(b []byte) (length int, more bool) {
	at := int32(0)
	for i, c := range b {
		next := t.states[at].follow(c)
		if next == 0 {
			return length, false
		}
		if at = next; t.states[at].end {
			length = i + 1
		}
	}
	return length, t.states[at].next != 0
}

// MaskWriter masks secrets in a stream, however it is divided into writes. It holds back
// the longest end that may be the beginning of a secret, until more is written or Flush is
// called.
type MaskWriter struct {
	s    *Secrets
	w    io.Writer
	held []byte
}

// Writer returns a MaskWriter that writes to w.
func (s *Secrets) Writer(w io.Writer) *MaskWriter { return &MaskWriter{s: s, w: w} }

// Write implements io.Writer.
func (m *MaskWriter) Write(p []byte) (int, error) {
	t := m.s.automaton()
	if t == nil {
		return m.w.Write(p)
	}
	b := p
	if len(m.held) > 0 {
		b = append(m.held, p...)
		m.held = nil
	}
	out, held := t.mask(make([]byte, 0, len(b)+len(Masked)), b, false)
	m.held = append([]byte(nil), held...)
	if len(out) == 0 {
		return len(p), nil
	}
	if _, err := m.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// mask appends b to out, with secrets masked. It returns a possible beginning of a secret as held,
// unless b is the last part.
func (t *trie) mask(out, b []byte, last bool) (_, held []byte) {
	for i := 0; i < len(b); {
		if !t.first[b[i]] {
			j := i + 1
			for j < len(b) && !t.first[b[j]] {
				j++
			}
			out = append(out, b[i:j]...)
			i = j
			continue
		}
		n, more := t.find(b[i:])
		switch {
		case more && !last:
			return out, b[i:]
		case n > 0:
			out = append(out, Masked...)
			i += n
		default:
			out = append(out, b[i])
			i++
		}
	}
	return out, nil
}

// Flush writes the bytes that are held back.
func (m *MaskWriter) Flush() error {
	if len(m.held) == 0 {
		return nil
	}
	out := m.held
	if t := m.s.automaton(); t != nil {
		out, _ = t.mask(nil, m.held, true)
	}
	m.held = nil
	_, err := m.w.Write(out)
	return err
}
