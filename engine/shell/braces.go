package shell

import (
	"fmt"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/weftrun/weft/internal/limit"
)

// mostWords is the maximum number of words that the interpreter makes of one with braces. If there
// are more, it prints an error, drops the word and continues.
const mostWords = 16 << 10

// braceError is the beginning of that error.
const braceError = "brace expansion would exceed "

// splitBraces divides words of f whose braces stand for too many words, so that the
// interpreter expands them: {1..20000} becomes {1..10000} {10001..20000}.
func splitBraces(f *syntax.File) (err error) {
	split := func(words []*syntax.Word) []*syntax.Word {
		for i, w := range words {
			if tooManyWords(w, &err) {
				out := append([]*syntax.Word{}, words[:i]...)
				for _, w := range words[i:] {
					out = divide(out, w, &err)
				}
				return out
			}
		}
		return words
	}
	syntax.Walk(f, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CallExpr:
			n.Args = split(n.Args)
		case *syntax.WordIter:
			n.Items = split(n.Items)
		}
		return err == nil
	})
	return err
}

// tooManyWords reports whether the braces of w stand for more words than the interpreter
// makes. It sets err if there are too many even for weft.
func tooManyWords(w *syntax.Word, err *error) bool {
	if *err != nil {
		return false
	}
	if bad := limit.Braces(w); bad != nil {
		*err = fmt.Errorf("%s: %w", w.Pos(), bad)
		return false
	}
	b := *w
	if !syntax.SplitBraces(&b) {
		return false
	}
	n := words(b.Parts)
	if n > limit.Passes {
		*err = fmt.Errorf("%s: %w", w.Pos(), limit.Count("the expansion of these braces", limit.Passes, "words"))
		return false
	}
	return n > mostWords
}

// words returns how many words the braces of parts stand for, or a number above the limit.
func words(parts []syntax.WordPart) int {
	n := 1
	for _, part := range parts {
		b, ok := part.(*syntax.BraceExp)
		if !ok {
			continue
		}
		each := 0
		if s, ok := sequenceOf(b); ok {
			each = s.length()
		} else if b.Sequence {
			each = 256 // of characters, at most
		} else {
			for _, elem := range b.Elems {
				each = min(each+words(elem.Parts), limit.Passes+1)
			}
		}
		n = min(n*each, limit.Passes+1)
	}
	return n
}

// divide appends to out the words that w is divided into, none of which has too many words.
func divide(out []*syntax.Word, w *syntax.Word, err *error) []*syntax.Word {
	if !tooManyWords(w, err) {
		return append(out, w)
	}
	b := *w
	syntax.SplitBraces(&b)
	for i, part := range b.Parts {
		exp, ok := part.(*syntax.BraceExp)
		if !ok {
			continue
		}
		for j, half := range halves(exp) {
			if half == "" {
				break // it cannot be divided
			}
			var parts []syntax.WordPart
			parts = append(parts, literally(b.Parts[:i])...)
			parts = append(parts, &syntax.Lit{ValuePos: w.Pos(), Value: half})
			parts = append(parts, literally(b.Parts[i+1:])...)
			out = divide(out, &syntax.Word{Parts: parts}, err)
			if j == 1 {
				return out
			}
		}
	}
	return append(out, w)
}

// halves divides a sequence of numbers into two texts. They are empty if b is something else.
func halves(b *syntax.BraceExp) (h [2]string) {
	s, ok := sequenceOf(b)
	if n := s.length(); ok && n > 1 {
		first, second := s, s
		first.to = s.at(n/2 - 1)
		second.from = s.at(n / 2)
		h[0], h[1] = first.text(), second.text()
	}
	return h
}

// literally returns parts with their braces as text, as the interpreter needs them.
func literally(parts []syntax.WordPart) (out []syntax.WordPart) {
	for _, part := range parts {
		b, ok := part.(*syntax.BraceExp)
		if !ok {
			out = append(out, part)
			continue
		}
		between := ","
		if b.Sequence {
			between = ".."
		}
		out = append(out, &syntax.Lit{Value: "{"})
		for i, elem := range b.Elems {
			if i > 0 {
				out = append(out, &syntax.Lit{Value: between})
			}
			out = append(out, literally(elem.Parts)...)
		}
		out = append(out, &syntax.Lit{Value: "}"})
	}
	return out
}

// sequence is a sequence of numbers in braces.
type sequence struct {
	from, to, step int64 // step is positive
	width          int   // that numbers are filled up to with zeros
}

// sequenceOf returns the sequence that b is; ok is false for any other.
func sequenceOf(b *syntax.BraceExp) (s sequence, ok bool) {
	if !b.Sequence {
		return s, false
	}
	from, to := b.Elems[0].Lit(), b.Elems[1].Lit()
	var bad [3]error
	s.from, bad[0] = strconv.ParseInt(from, 10, 32)
	s.to, bad[1] = strconv.ParseInt(to, 10, 32)
	s.step = 1
	if len(b.Elems) > 2 {
		s.step, bad[2] = strconv.ParseInt(b.Elems[2].Lit(), 10, 32)
		s.step = max(s.step, -s.step, 1)
	}
	for _, text := range [...]string{from, to} {
		if digits := strings.TrimLeft(text, "+-"); len(digits) > 1 && digits[0] == '0' {
			s.width = max(len(from), len(to))
		}
	}
	return s, bad == [3]error{}
}

func (s sequence) length() int {
	return int(min(max(s.to-s.from, s.from-s.to)/max(s.step, 1)+1, limit.Passes+1))
}

func (s sequence) at(i int) int64 {
	if s.from > s.to {
		return s.from - int64(i)*s.step
	}
	return s.from + int64(i)*s.step
}

func (s sequence) text() string {
	return fmt.Sprintf("{%0*d..%0*d..%d}", s.width, s.from, s.width, s.to, s.step)
}
