package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// object is a JSON object: an event, or a part of one. Its values are slices of a line.
type object []member

type member struct{ name, value []byte }

// get returns the value of a field, or nil; the last one if the name is repeated.
func (o object) get(name string) []byte {
	for i := len(o) - 1; i >= 0; i-- {
		if string(o[i].name) == name {
			return o[i].value
		}
	}
	return nil
}

// readObject appends the fields of an object to o. null is an object without fields.
func readObject(b []byte, o object) (object, error) {
	ok := eachPart(b, '{', '}', func(name, value []byte) { o = append(o, member{name, value}) })
	if ok {
		return o, nil
	}
	return nil, faulty(b, new(map[string]json.RawMessage))
}

// readList returns the elements of a list. null is a list without elements.
func readList(b []byte) ([][]byte, error) {
	list := [][]byte{}
	ok := eachPart(b, '[', ']', func(_, value []byte) { list = append(list, value) })
	if ok {
		return list, nil
	}
	return nil, faulty(b, new([]json.RawMessage))
}

// faulty returns the reason why b cannot be decoded into v.
func faulty(b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return err
	}
	return errors.New("not readable")
}

// eachPart calls f for each part of b, a JSON object or list in the given brackets, or null, with
// optional space around it. It reports whether b is valid; f may have been called even if not.
func eachPart(b []byte, open, end byte, f func(name, value []byte)) bool {
	i := skipSpace(b, 0)
	if i < len(b) && b[i] == open {
		i = skipParts(b, i, end, deepest, f)
	} else {
		i = skipWord(b, i, "null")
	}
	return i >= 0 && skipSpace(b, i) == len(b)
}

// deepest is the maximum nesting depth of values.
const deepest = 1000

// skipValue returns the end of the value that begins at b[i], -1 if it is invalid.
func skipValue(b []byte, i, depth int) int {
	if i >= len(b) || depth == 0 {
		return -1
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{':
		return skipParts(b, i, '}', depth-1, nil)
	case '[':
		return skipParts(b, i, ']', depth-1, nil)
	case 't':
		return skipWord(b, i, "true")
	case 'f':
		return skipWord(b, i, "false")
	case 'n':
		return skipWord(b, i, "null")
	}
	return skipNumber(b, i)
}

// skipParts returns the end of the object or list that begins at b[i], -1 if it is invalid. It
// calls f, if not nil, for each part.
func skipParts(b []byte, i int, end byte, depth int, f func(name, value []byte)) int {
	if i = skipSpace(b, i+1); i < len(b) && b[i] == end {
		return i + 1
	}
	for {
		var name []byte
		if end == '}' {
			start := i
			if i >= len(b) || b[i] != '"' {
				return -1
			}
			if i = skipString(b, i); i < 0 {
				return -1
			}
			if f != nil {
				name = unquote(b[start:i])
			}
			if i = skipSpace(b, i); i >= len(b) || b[i] != ':' {
				return -1
			}
			i = skipSpace(b, i+1)
		}
		start := i
		if i = skipValue(b, i, depth); i < 0 {
			return -1
		}
		if f != nil {
			f(name, b[start:i])
		}
		if i = skipSpace(b, i); i >= len(b) || b[i] != ',' {
			break
		}
		i = skipSpace(b, i+1)
	}
	if i >= len(b) || b[i] != end {
		return -1
	}
	return i + 1
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

func skipWord(b []byte, i int, word string) int {
	if end := i + len(word); end <= len(b) && string(b[i:end]) == word {
		return end
	}
	return -1
}

func skipString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return -1
		case c != '\\':
			continue
		}
		if i++; i == len(b) {
			return -1
		}
		switch b[i] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		case 'u':
			if _, ok := hexadecimal(b[i+1:]); !ok {
				return -1
			}
			i += 4
		default:
			return -1
		}
	}
	return -1
}

func skipNumber(b []byte, i int) int {
	if i < len(b) && b[i] == '-' {
		i++
	}
	end := skipDigits(b, i)
	if end < 0 || b[i] == '0' && end > i+1 {
		return -1
	}
	i = end
	if i < len(b) && b[i] == '.' {
		if i = skipDigits(b, i+1); i < 0 {
			return -1
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		i = skipDigits(b, i)
	}
	return i
}

// skipDigits returns the end of the digits that begin at b[i], -1 if there are none.
func skipDigits(b []byte, i int) int {
	start := i
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// hexadecimal returns the value of the first four digits of b.
func hexadecimal(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// unquote returns the text of a JSON string. It is a slice of b if there are no escapes. Half of a
// surrogate pair is replaced.
func unquote(b []byte) []byte {
	b = b[1 : len(b)-1]
	i := bytes.IndexByte(b, '\\')
	if i < 0 {
		return b
	}
	text := make([]byte, 0, len(b))
	for ; i >= 0; i = bytes.IndexByte(b, '\\') {
		text = append(text, b[:i]...)
		c := b[i+1]
		b = b[i+2:]
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r, _ := hexadecimal(b)
			b = b[4:]
			if utf16.IsSurrogate(r) {
				second, ok := rune(0), false
				if len(b) > 2 && b[0] == '\\' && b[1] == 'u' {
					second, ok = hexadecimal(b[2:])
				}
				if r = utf16.DecodeRune(r, second); ok && r != utf8.RuneError {
					b = b[6:]
				}
			}
			text = utf8.AppendRune(text, r)
			continue
		}
		text = append(text, c)
	}
	return append(text, b...)
}
