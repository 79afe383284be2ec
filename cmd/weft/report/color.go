package report

import (
	"strings"

	"github.com/weftrun/weft/schema/diag"
)

// Color is a colour of messages.
type Color uint8

const (
	Default Color = iota
	Red
	Green
	Yellow
	Blue
	Magenta
	Cyan
	BrightRed
	BrightGreen
	BrightYellow
	BrightBlue
	BrightMagenta
	BrightCyan
	colors // number of colours
)

// Palette contains the SGR attributes of each colour, as written between "ESC[" and "m". The zero
// Palette writes no colours.
type Palette struct {
	On    bool
	Codes [colors]string // "" means the default
	// AfterLine ends colours after the newline of a message, as the reference does. Otherwise they end
	// before it.
	AfterLine bool
}

// code returns the attributes of c.
func (p *Palette) code(c Color) string {
	if s := p.Codes[c]; s != "" {
		return s
	}
	const usual = "0\x0031\x0032\x0033\x0034\x0035\x0036\x0091\x0092\x0093\x0094\x0095\x0096"
	if c == Default {
		return usual[:1]
	}
	i := 2 + 3*(int(c)-1)
	return usual[i : i+2]
}

// Append appends text in colour c, escaped by [diag.PrintableText], so that a message contains no
// escape sequences except those of its colours.
func (p *Palette) Append(b []byte, c Color, text string) []byte {
	return p.AppendSafe(b, c, diag.PrintableText(text))
}

// AppendSafe is like Append for text that needs no escaping.
//
//go:noinline
func (p *Palette) AppendSafe(b []byte, c Color, text string) []byte {
	line, newline := strings.CutSuffix(text, "\n")
	b = append(p.begin(b, c), line...)
	if newline {
		return p.endLine(b)
	}
	return p.end(b)
}

// begin appends the sequence that starts colour c, and end the one that ends it.
//
//go:noinline
func (p *Palette) begin(b []byte, c Color) []byte {
	if !p.On {
		return b
	}
	return append(append(append(b, "\x1b["...), p.code(c)...), 'm')
}

func (p *Palette) end(b []byte) []byte {
	if !p.On {
		return b
	}
	return append(b, "\x1b[0m"...)
}

// endLine ends a coloured text and its line.
func (p *Palette) endLine(b []byte) []byte {
	if p.AfterLine {
		return p.end(append(b, '\n'))
	}
	return append(p.end(b), '\n')
}
