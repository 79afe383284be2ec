package report

import (
	"strconv"
	"unicode/utf8"
)

// cell is one column of a line that is being built. Columns of a wide character or a tab other than
// the first have no character.
type cell struct {
	r     rune
	marks string // combining characters
	style style
}

// style is the appearance of characters. The zero value is plain.
type style struct {
	fg, bg color
	attrs  attrs
	link   *string // target of a hyperlink (OSC 8); nil: none
}

// color is a palette index or an RGB value; 0 is the terminal's default.
type color uint32

const (
	indexed color = 1 << 24
	direct  color = 2 << 24
)

// attrs are attributes 1 to 9 of SGR, as bits 1 to 9, and doubled (21) and overlined (53).
type attrs uint16

const (
	doubled   attrs = 1 << 10
	overlined attrs = 1 << 11
)

// blank is an empty column.
var blank = cell{r: ' '}

// appendCells appends the text of cells, beginning and ending in the plain style.
func appendCells(b []byte, cells []cell) []byte {
	var now style
	for i := range cells {
		c := &cells[i]
		if c.r == 0 {
			continue
		}
		if c.style != now {
			b = c.style.append(b, &now)
			now = c.style
		}
		b = utf8.AppendRune(b, c.r)
		b = append(b, c.marks...)
	}
	if now != (style{}) {
		b = (&style{}).append(b, &now)
	}
	return b
}

// append appends the sequences that change the style from old to s.
func (s *style) append(b []byte, old *style) []byte {
	if s.link != old.link {
		b = append(b, "\x1b]8;;"...)
		if s.link != nil {
			b = append(b[:len(b)-1], *s.link...)
		}
		b = append(b, "\x1b\\"...)
	}
	if s.fg == old.fg && s.bg == old.bg && s.attrs == old.attrs {
		return b
	}
	b = append(b, "\x1b[0"...)
	for n := attrs(1); n <= 9; n++ {
		if s.attrs&(1<<n) != 0 {
			b = append(b, ';', '0'+byte(n))
		}
	}
	if s.attrs&doubled != 0 {
		b = append(b, ";21"...)
	}
	if s.attrs&overlined != 0 {
		b = append(b, ";53"...)
	}
	b = s.fg.append(b, 30)
	b = s.bg.append(b, 40)
	return append(b, 'm')
}

// append appends the SGR parameters of a colour. base is the parameter of the first of the eight
// basic colours.
func (c color) append(b []byte, base int64) []byte {
	number := func(n int64) { b = strconv.AppendInt(append(b, ';'), n, 10) }
	n := int64(c & 0xff)
	switch {
	case c == 0:
	case c&direct != 0:
		number(base + 8)
		number(2)
		number(int64(c >> 16 & 0xff))
		number(int64(c >> 8 & 0xff))
		number(n)
	case n < 8:
		number(base + n)
	case n < 16:
		number(base + 60 + n - 8)
	default:
		number(base + 8)
		number(5)
		number(n)
	}
	return b
}

// numbers returns the n parameters of a control sequence, -1 for an omitted one, and reports which
// of them are joined to the one before by a colon.
func numbers(text []byte) (all [16]int, colons [16]bool, n int) {
	all[0] = -1
	for _, c := range text {
		switch {
		case c == ';' || c == ':':
			if n == len(all)-1 {
				return all, colons, n
			}
			n++
			all[n], colons[n] = -1, c == ':'
		case c >= '0' && c <= '9' && all[n] < 1e6:
			all[n] = max(all[n], 0)*10 + int(c-'0')
		}
	}
	return all, colons, n + 1
}

// set applies SGR parameters to s. Unknown ones are ignored.
func (s *style) set(text []byte) {
	all, colons, n := numbers(text)
	for i := 0; i < n; i++ {
		p := all[i]
		end := i + 1 // end of the parameters joined by colons
		for end < n && colons[end] {
			end++
		}
		switch {
		case p <= 0:
			*s = style{link: s.link}
		case p == 4 && end > i+1 && all[i+1] == 0:
			s.attrs &^= 1<<4 | doubled
		case p <= 9:
			s.attrs |= 1 << p
		case p == 21:
			s.attrs |= doubled
		case p == 22:
			s.attrs &^= 1<<1 | 1<<2
		case p == 24:
			s.attrs &^= 1<<4 | doubled
		case p == 25:
			s.attrs &^= 1<<5 | 1<<6
		case p >= 23 && p <= 29:
			s.attrs &^= 1 << (p - 20)
		case p >= 30 && p <= 37:
			s.fg = indexed | color(p-30)
		case p == 39:
			s.fg = 0
		case p >= 40 && p <= 47:
			s.bg = indexed | color(p-40)
		case p == 49:
			s.bg = 0
		case p == 53:
			s.attrs |= overlined
		case p == 55:
			s.attrs &^= overlined
		case p >= 90 && p <= 97:
			s.fg = indexed | color(p-90+8)
		case p >= 100 && p <= 107:
			s.bg = indexed | color(p-100+8)
		case p == 38 || p == 48 || p == 58:
			c, taken := extended(all[i+1:n], end-i-1)
			if end == i+1 {
				end += taken
			}
			switch {
			case c == 0 || p == 58:
			case p == 38:
				s.fg = c
			default:
				s.bg = c
			}
		}
		i = end - 1
	}
}

// extended returns the colour selected by the parameters after 38 and how many of them it used.
// joined is the number of parameters joined by colons, in which case a colour space may come third.
func extended(p []int, joined int) (c color, taken int) {
	channel := func(i int) color { return color(min(max(p[i], 0), 255)) }
	switch {
	case len(p) >= 2 && p[0] == 5:
		return indexed | channel(1), 2
	case len(p) >= 5 && p[0] == 2 && joined >= 5:
		return direct | channel(2)<<16 | channel(3)<<8 | channel(4), joined
	case len(p) >= 4 && p[0] == 2:
		return direct | channel(1)<<16 | channel(2)<<8 | channel(3), 4
	}
	return 0, len(p)
}
