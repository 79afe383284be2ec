package report

import "github.com/weftrun/weft/schema/diag"

// Color is one of the colours messages have.
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
	colors // how many there are
)

// Palette holds the attributes of each colour, as they stand between "ESC["
// and "m". The zero Palette writes no colours at all.
type Palette struct {
	On    bool
	Codes [colors]string // "" means the usual one
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

// Append appends text in colour c, escaped as [diag.PrintableText] is: no other escape
// sequence stands in a message than those of its colours.
func (p *Palette) Append(b []byte, c Color, text string) []byte {
	return p.AppendSafe(b, c, diag.PrintableText(text))
}

// AppendSafe is Append for text that is safe to show as it is.
func (p *Palette) AppendSafe(b []byte, c Color, text string) []byte {
	if !p.On {
		return append(b, text...)
	}
	b = append(b, "\x1b["...)
	b = append(b, p.code(c)...)
	b = append(b, 'm')
	b = append(b, text...)
	return append(b, "\x1b[0m"...)
}

// Text returns text in colour c, escaped as Append does it.
func (p *Palette) Text(c Color, text string) string {
	if !p.On {
		return diag.PrintableText(text)
	}
	return string(p.Append(nil, c, text))
}
