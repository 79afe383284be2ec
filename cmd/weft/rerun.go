package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/schema/diag"
)

// rerun returns the command line that runs a task again, as it was run now.
func (a *app) rerun(task string) string {
	o := &a.opts
	words := []string{a.name}
	for _, f := range [...]struct{ flag, value string }{{"-d", o.dir}, {"-t", o.taskfile}} {
		if f.value != "" {
			words = append(words, f.flag, quote(f.value))
		}
	}
	if o.global {
		words = append(words, "-g")
	}
	words = append(words, quote(task))
	for _, v := range o.vars {
		value := v.Value.(string)
		if a.secretNames[v.Name] {
			value = pipe.Masked
		}
		words = append(words, quote(v.Name+"="+value))
	}
	if len(o.cliArgs) > 0 {
		words = append(words, "--")
		for _, arg := range o.cliArgs {
			words = append(words, quote(arg))
		}
	}
	return strings.Join(words, " ")
}

// quote quotes s so that a shell reads it as one word.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:=@%+,", r)
	}
	if s != "" && strings.TrimFunc(s, plain) == "" {
		return s
	}
	if shown := diag.Printable(s); shown != s || strings.Contains(s, "\t") {
		return ansiQuote(s)
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// ansiQuote quotes s for bash and zsh, without control characters.
func ansiQuote(s string) string {
	var b strings.Builder
	b.WriteString("$'")
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		text := s[:size]
		s = s[size:]
		switch {
		case r == '\'' || r == '\\':
			b.WriteString(`\` + text)
		case r == '\t' || diag.Printable(text) != text:
			for _, c := range []byte(text) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		default:
			b.WriteString(text)
		}
	}
	return b.String() + "'"
}
