package main

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"

	"github.com/weftrun/weft/cmd/weft/report"
)

// choosePalette decides whether messages are coloured, and how. As in the reference, NO_COLOR
// has priority over everything.
func (a *app) choosePalette() report.Palette {
	if !a.colored() {
		return report.Palette{}
	}
	p := report.Palette{On: true}
	for _, c := range [...]struct {
		env   string
		color report.Color
	}{
		{"RESET", report.Default}, {"RED", report.Red}, {"GREEN", report.Green}, {"YELLOW", report.Yellow},
		{"BLUE", report.Blue}, {"MAGENTA", report.Magenta}, {"CYAN", report.Cyan},
		{"BRIGHT_RED", report.BrightRed}, {"BRIGHT_GREEN", report.BrightGreen}, {"BRIGHT_YELLOW", report.BrightYellow},
		{"BRIGHT_BLUE", report.BrightBlue}, {"BRIGHT_MAGENTA", report.BrightMagenta}, {"BRIGHT_CYAN", report.BrightCyan},
	} {
		p.Codes[c.color] = colorCode(a.env("TASK_COLOR_" + c.env))
	}
	return p
}

func (a *app) colored() bool {
	switch {
	case a.env("NO_COLOR") != "":
		return false
	case a.opts.colorSet:
		return a.opts.color
	case a.env("FORCE_COLOR") != "":
		return true
	}
	if ci, err := strconv.ParseBool(a.env("CI")); err == nil && ci {
		return true
	}
	return a.env("TERM") != "dumb" && term.IsTerminal(int(os.Stdout.Fd()))
}

// colorCode returns the escape code of a colour in the environment, which is numbers joined by
// ";", or three joined by "," for red, green and blue. It returns "" for anything else.
func colorCode(s string) string {
	if s == "" {
		return ""
	}
	rgb := strings.Split(s, ",")
	if len(rgb) == 3 {
		s = "38;2;" + strings.Join(rgb, ";")
	}
	for _, part := range strings.Split(s, ";") {
		if _, err := strconv.Atoi(part); err != nil {
			return ""
		}
	}
	return s
}
