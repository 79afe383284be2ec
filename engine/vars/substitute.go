package vars

import (
	"slices"
	"strconv"
	"strings"

	"github.com/weftrun/weft/internal/limit"
)

// Most templates are texts with plain references, such as `cc -o {{.OUT}} {{.SRC}}`. They are
// expanded here, without the template engine and its table of functions. Templates with
// anything else, or whose values are not plain, need the engine.

// piece is a literal text and the reference after it. The path of the last piece is nil.
type piece struct {
	text string
	path []string // of `.A.b`: A, b
}

// cut divides a template into pieces. ok is false if it needs the engine.
func cut(text string) (pieces []piece, names []string, ok bool) {
	for {
		i := strings.Index(text, "{{")
		if i < 0 {
			return append(pieces, piece{text: text}), names, true
		}
		path, rest, ok := cutReference(text[i+2:])
		if !ok {
			return nil, nil, false
		}
		pieces = append(pieces, piece{text[:i], path})
		if !slices.Contains(names, path[0]) {
			names = append(names, path[0])
		}
		text = rest
	}
}

// cutReference parses what follows the opening braces of `{{ .A.b }}`.
func cutReference(s string) (path []string, rest string, ok bool) {
	s = strings.TrimLeft(s, " \t")
	for len(s) > 1 && s[0] == '.' && isLetter(s[1]) {
		n := 2
		for n < len(s) && (isLetter(s[n]) || '0' <= s[n] && s[n] <= '9') {
			n++
		}
		path = append(path, s[1:n])
		s = s[n:]
	}
	s = strings.TrimLeft(s, " \t")
	rest, ok = strings.CutPrefix(s, "}}")
	return path, rest, ok && path != nil
}

func isLetter(c byte) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// join expands the pieces. ok is false if a value needs the engine; err says that the text
// would be too large. value returns the value of a name, or nil if it has none.
func join(pieces []piece, value func(name string) any) (out string, ok bool, err error) {
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.text)
		if p.path == nil {
			break
		}
		v := value(p.path[0])
		for _, key := range p.path[1:] {
			m, ok := v.(map[string]any)
			if !ok {
				return "", false, nil
			}
			if v, ok = m[key]; !ok {
				return "", false, nil
			}
		}
		switch v := v.(type) {
		case string:
			if err := enlarge(b.Len(), len(v)); err != nil {
				return "", false, err
			}
			b.WriteString(v)
		case bool:
			b.WriteString(strconv.FormatBool(v))
		case int:
			b.WriteString(strconv.Itoa(v))
		case nil:
			b.WriteString(noValue)
		default:
			return "", false, nil
		}
	}
	return dropNoValue(b.String()), true, nil
}

// enlarge returns an error if a text of size bytes cannot have n more.
func enlarge(size, n int) error {
	const small = 4 << 10 // too small to count
	switch {
	case n < small:
		return nil
	case size+n > limit.Text:
		return errText
	}
	return limit.Grow(int64(size + n))
}

// noValue is the engine's text for null or an undefined name.
const noValue = "<no value>"

// dropNoValue removes noValue, even from values, as the reference does.
func dropNoValue(s string) string { return strings.ReplaceAll(s, noValue, "") }
