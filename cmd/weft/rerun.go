package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/schema/diag"
)

// rerun returns the command line that reruns a task like now.
func (a *app) rerun(task string) string {
	around := a.opts.around(a.secretNames)
	return a.name + around[0] + " " + quote(task) + around[1]
}

// around returns what stands before and behind the name of a task on a command line that runs it
// as o says: each word behind a space, quoted for a shell. The values of secret variables are masked.
func (o *options) around(secret map[string]bool) (words [2]string) {
	add := func(i int, word string) { words[i] += " " + quote(word) }
	if o.dir != "" {
		add(0, "-d")
		add(0, o.dir)
	}
	if o.taskfile != "" {
		add(0, "-t")
		add(0, o.taskfile)
	}
	if o.global {
		add(0, "-g")
	}
	if o.remoteSet {
		add(0, "--remote="+o.elsewhere)
	}
	for _, v := range o.vars {
		value := v.Value.(string)
		if secret[v.Name] {
			value = pipe.Masked
		}
		add(1, v.Name+"="+value)
	}
	if len(o.cliArgs) > 0 {
		add(1, "--")
		for _, arg := range o.cliArgs {
			add(1, arg)
		}
	}
	return words
}

// logLine returns the command line that shows the output of a task, or "" if the run is not
// recorded.
func (a *app) logLine(task string) string {
	var n int
	if a.opts.replay != "" {
		n, _ = runNumber(a.opts.replay)
	} else {
		n = a.history.Number()
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%s --history=%d %s", a.name, n, quote(task))
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
