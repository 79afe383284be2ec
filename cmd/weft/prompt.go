package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/schema/diag"
)

// prompter asks the user on the terminal. It implements engine.Asker.
type prompter struct {
	*app
	in  *os.File
	out *report.Out
}

// asker returns the prompter, or nil if there is no terminal.
func (a *app) asker() engine.Asker {
	if !term.IsTerminal(int(os.Stdin.Fd())) || !term.IsTerminal(int(os.Stdout.Fd())) {
		return nil
	}
	return prompter{a, os.Stdin, a.out}
}

// Confirm implements engine.Asker.
func (p prompter) Confirm(ctx context.Context, text string) (bool, error) {
	answer, err := p.choose(ctx, text, "y/N")
	return answer == "y", err
}

// choose prompts and returns the answer in lower case, "y" for yes.
func (p prompter) choose(ctx context.Context, question, choices string) (string, error) {
	p.paint(p.out, report.Yellow, question+" ["+choices+"]: ")
	line, err := p.readLine(ctx)
	answer := strings.ToLower(strings.TrimSpace(line))
	if answer == "yes" {
		answer = "y"
	}
	return answer, err
}

// Value implements engine.Asker.
func (p prompter) Value(ctx context.Context, name string, choices []string) (string, error) {
	for {
		for i, c := range choices {
			p.out.Show(fmt.Sprintf("  %d) %s\n", i+1, diag.Printable(c)))
		}
		p.paint(p.out, report.Yellow, fmt.Sprintf("Value of %s: ", diag.Printable(name)))
		line, err := p.readLine(ctx)
		if err != nil {
			return "", err
		}
		line = strings.TrimRight(line, "\r\n")
		if choices == nil {
			return line, nil
		}
		for i, c := range choices {
			if line == c || line == fmt.Sprint(i+1) {
				return c, nil
			}
		}
	}
}

// readLine reads the user's answer to the last shown prompt.
func (p prompter) readLine(ctx context.Context) (string, error) {
	line, err := readLine(ctx, p.in)
	if p.area != nil {
		p.area.Answered()
	}
	return line, err
}

// readLine reads one line of in and not a byte more: the rest belongs to commands. If ctx is done
// first, it leaves a goroutine that reads the terminal, since nothing can interrupt it. The
// program is about to end then.
func readLine(ctx context.Context, in *os.File) (string, error) {
	type result struct {
		line string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		var line []byte
		var b [1]byte
		for {
			n, err := in.Read(b[:])
			if n == 1 {
				line = append(line, b[0])
			}
			if n == 1 && b[0] == '\n' || err != nil {
				if len(line) > 0 {
					err = nil
				}
				done <- result{string(line), err}
				return
			}
		}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return "", engine.ErrNoTerminal
		}
		return r.line, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}
