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
	p := report.Palette{On: true, AfterLine: a.dropIn()}
	for c, name := range [...]string{
		"RESET", "RED", "GREEN", "YELLOW", "BLUE", "MAGENTA", "CYAN",
		"BRIGHT_RED", "BRIGHT_GREEN", "BRIGHT_YELLOW", "BRIGHT_BLUE", "BRIGHT_MAGENTA", "BRIGHT_CYAN",
	} {
		p.Codes[c] = colorCode(a.env("TASK_COLOR_" + name))
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
	ci, _ := strconv.ParseBool(a.env("CI"))
	return ci || a.env("TERM") != "dumb" && term.IsTerminal(int(os.Stdout.Fd()))
}

// colorCode returns the escape code of a colour in the environment, which is numbers joined by
// ";", or three joined by "," for red, green and blue. It returns "" for anything else.
func colorCode(s string) string {
	if rgb := strings.Split(s, ","); len(rgb) == 3 {
		s = "38;2;" + strings.Join(rgb, ";")
	}
	for _, part := range strings.Split(s, ";") {
		if _, err := strconv.Atoi(part); err != nil {
			return ""
		}
	}
	return s
}
