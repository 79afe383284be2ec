package limit

import (
	"io"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Shell returns an error if text is too long, or may be nested too deeply, to be parsed as a
// script.
func Shell(text string) error {
	switch {
	case len(text) <= Nested:
		return nil
	case len(text) > Script:
		return Bytes("a script for weft's own shell", Script)
	}
	n := 0
	for i := range len(text) {
		switch text[i] {
		case '(', '{', '[', '$', '`', '&', '|', '+', '-', '*', '/', '%', '?', '=', '~', '^', '<', '>', '!', ',':
			n++
		}
	}
	for _, word := range [...]string{"if", "while", "until", "for", "case", "time", "then", "do", "else"} {
		n += strings.Count(text, word)
	}
	if n > Nested {
		return Count("the nesting of a script for weft's own shell", Nested, "operators and keywords")
	}
	return nil
}

// Expansion returns an error if a shell may expand word, with the variables of get and
// without running anything, to more than [Text] bytes. It counts what the shell's syntax
// multiplies, as in ${X//a/$Y}.
func Expansion(word *syntax.Word, get func(name string) string) error {
	if expanded(word, get) > Text {
		return Bytes("the expansion of the variables in this text", Text)
	}
	return nil
}

// Document parses text as a here-document, in which quotes have no meaning. It returns the error of
// [Shell] or [Expansion] for a text that is too large.
func Document(text string, get func(name string) string) (*syntax.Word, error) {
	if err := Shell(text); err != nil {
		return nil, err
	}
	word, err := syntax.NewParser().Document(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	return word, Expansion(word, get)
}

// expanded returns an upper limit of the bytes that node expands to, or a number above Text.
func expanded(node syntax.Node, get func(string) string) (n int) {
	syntax.Walk(node, func(node syntax.Node) bool {
		if n > Text {
			return false
		}
		switch node := node.(type) {
		case *syntax.Lit:
			n += len(node.Value)
		case *syntax.SglQuoted:
			n += len(node.Value)
		case *syntax.ArithmExp:
			n += 32
		case *syntax.ParamExp:
			size := 32
			if node.Param != nil {
				size += quoted * len(get(node.Param.Value))
			}
			if node.Repl != nil {
				with := 0
				if node.Repl.With != nil {
					with = expanded(node.Repl.With, get)
				}
				size *= min(with, Text) + 1
			}
			if node.Exp != nil && node.Exp.Word != nil {
				size += expanded(node.Exp.Word, get)
			}
			n += size
			return false
		}
		return true
	})
	return n
}

// quoted is the number of bytes that ${X@Q} and the like make of one.
const quoted = 4

// mostBraces is the maximum number of {a,b} and {1..3} in a word. With two choices in each that is
// far more words than a shell makes.
const mostBraces = 32

// Braces returns an error if word contains too many braces to be examined.
func Braces(word *syntax.Word) error {
	w := *word // SplitBraces replaces its parts
	if !syntax.SplitBraces(&w) {
		return nil
	}
	n := braces(&w)
	if n > mostBraces {
		return Count("the braces of one word", mostBraces, "expansions")
	}
	return nil
}

func braces(word *syntax.Word) (n int) {
	for _, part := range word.Parts {
		if b, ok := part.(*syntax.BraceExp); ok {
			n++
			for _, elem := range b.Elems {
				n += braces(elem)
			}
		}
	}
	return n
}

// Reader returns a reader of r that fails with err if r has more than n bytes.
func Reader(r io.Reader, n int64, err error) io.Reader { return &reader{r, n, err} }

type reader struct {
	r    io.Reader
	left int64
	err  error
}

func (r *reader) Read(b []byte) (int, error) {
	n, err := r.r.Read(b[:min(int64(len(b)), r.left+1)])
	if r.left -= int64(n); r.left < 0 {
		return 0, r.err
	}
	return n, err
}
