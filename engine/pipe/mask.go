package pipe

import (
	"encoding/base64"
	"io"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
)

// Masked is what is shown instead of a secret.
const Masked = "*****"

// minSecret is the length from which a secret is masked: shorter ones would mask
// what has nothing to do with them.
const minSecret = 4

// Secrets are values that must not be shown. The zero value has none. It is safe
// for concurrent use.
type Secrets struct {
	mu    sync.Mutex // guards known, and the making of trie
	known map[string]bool
	trie  atomic.Pointer[trie]
}

// Add makes value a secret: as it is, each of its lines, and encoded for URLs and in
// base64, also inside of something longer. It reports false for a value that is too
// short.
func (s *Secrets) Add(value string) bool {
	value = strings.TrimRight(value, "\r\n")
	if len(value) < minSecret {
		return value == ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[value] {
		return true
	}
	if s.known == nil {
		s.known = map[string]bool{}
	}
	s.known[value] = true
	t := &trie{}
	for v := range s.known {
		for _, form := range forms(v) {
			t.add(form)
		}
	}
	s.trie.Store(t)
	return true
}

// forms are the texts that give a secret away.
func forms(v string) []string {
	out := []string{v, url.QueryEscape(v), url.PathEscape(v)}
	if strings.Contains(v, "\n") {
		for line := range strings.Lines(v) {
			if line = strings.TrimRight(line, "\r\n"); len(line) >= minSecret {
				out = append(out, line)
			}
		}
	}
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		// What comes before it moves it by one or two bytes: then the first
		// letters, and the last, are not its alone.
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

// Mask returns text with the secrets masked.
func (s *Secrets) Mask(text string) string {
	if s.trie.Load() == nil {
		return text
	}
	var b strings.Builder
	w := s.Writer(&b)
	io.WriteString(w, text)
	w.Flush()
	return b.String()
}

// Any reports whether there is a secret.
func (s *Secrets) Any() bool { return s.trie.Load() != nil }

// trie is an automaton that finds the longest secret at a place: a state for each
// beginning of one, from the root 0.
type trie struct {
	states []state
	first  [256]bool // bytes that begin a secret
}

type state struct {
	next map[byte]int32
	end  bool // a whole secret leads here
}

func (t *trie) add(word string) {
	if t.states == nil {
		t.states = []state{{}}
	}
	at := int32(0)
	for i := range len(word) {
		next, ok := t.states[at].next[word[i]]
		if !ok {
			next = int32(len(t.states))
			t.states = append(t.states, state{})
			if t.states[at].next == nil {
				t.states[at].next = map[byte]int32{}
			}
			t.states[at].next[word[i]] = next
		}
		at = next
	}
	t.states[at].end = true
	t.first[word[0]] = true
}

// find returns the length of the longest secret that b begins with, or 0. more tells
// that it, or a longer one, may go on after b.
func (t *trie) find(b []byte) (length int, more bool) {
	at := int32(0)
	for i, c := range b {
		next, ok := t.states[at].next[c]
		if !ok {
			return length, false
		}
		if at = next; t.states[at].end {
			length = i + 1
		}
	}
	return length, len(t.states[at].next) > 0
}

// MaskWriter masks secrets in what it is given, however that is cut into pieces. It
// holds back the longest end that may be the beginning of a secret; nothing but more
// bytes, or Flush, lets that go.
type MaskWriter struct {
	s    *Secrets
	w    io.Writer
	held []byte
}

// Writer returns a MaskWriter that writes to w.
func (s *Secrets) Writer(w io.Writer) *MaskWriter { return &MaskWriter{s: s, w: w} }

// Write implements io.Writer.
func (m *MaskWriter) Write(p []byte) (int, error) {
	t := m.s.trie.Load()
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

// mask appends b with secrets masked to out; what may be the beginning of one is
// returned as held, unless nothing more comes.
func (t *trie) mask(out, b []byte, over bool) (_, held []byte) {
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
		case more && !over:
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

// Flush writes what is held back: nothing more comes.
func (m *MaskWriter) Flush() error {
	if len(m.held) == 0 {
		return nil
	}
	out := m.held
	if t := m.s.trie.Load(); t != nil {
		out, _ = t.mask(nil, m.held, true)
	}
	m.held = nil
	_, err := m.w.Write(out)
	return err
}
