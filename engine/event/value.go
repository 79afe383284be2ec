package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"unicode/utf8"
)

// A text that is UTF-8 is a string of JSON. Any other is an object: {"base64": "…"}.

// appendText appends s.
func appendText(b []byte, s string) []byte {
	if utf8.ValidString(s) {
		return appendQuoted(b, s)
	}
	b = append(b, `{"base64":"`...)
	b = base64.StdEncoding.AppendEncode(b, []byte(s))
	return append(b, `"}`...)
}

const hex = "0123456789abcdef"

// appendQuoted appends s, which is UTF-8, as a string of JSON. Beyond what JSON demands it
// escapes the separators of lines that JavaScript knows.
func appendQuoted[T string | []byte](b []byte, s T) []byte {
	b = append(b, '"')
	done := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c != 0xe2 {
			continue
		}
		size := 1
		if c == 0xe2 {
			if s[i+1] != 0x80 || s[i+2]&^1 != 0xa8 {
				continue
			}
			size = 3
		}
		b = append(b, s[done:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		case 0xe2:
			b = append(b, `\u202`...)
			b = append(b, hex[s[i+2]&15])
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i += size - 1
		done = i + 1
	}
	b = append(b, s[done:]...)
	return append(b, '"')
}

// readText returns a text.
func readText(raw json.RawMessage) (s string, err error) {
	switch {
	case raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0:
		return string(raw[1 : len(raw)-1]), nil
	case raw[0] == '"':
		err = json.Unmarshal(raw, &s)
		return s, err
	}
	var object struct{ Base64 *[]byte }
	if err := json.Unmarshal(raw, &object); err != nil || object.Base64 == nil {
		return "", errors.New("not a text")
	}
	return string(*object.Base64), nil
}

// The outputs of a step are any JSON, their texts and names any bytes. So an object with
// a name that is not UTF-8, or one that would be taken for what stands for something else,
// is a list of names and values: {"entries": [[name, value], …]}.

// appendValue appends an output or a part of one.
func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return appendText(b, v)
	case json.Number:
		return append(b, v...)
	case []any:
		b = append(b, '[')
		for i, x := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, x)
		}
		return append(b, ']')
	case map[string]any:
		return appendEntries(b, v)
	}
	plain, err := json.Marshal(v) // nil, a boolean or a number
	if err != nil {
		return append(b, "null"...)
	}
	return append(b, plain...)
}

func appendEntries(b []byte, m map[string]any) []byte {
	names := slices.Sorted(maps.Keys(m))
	open, separate, end := "", ":", ""
	b = append(b, '{')
	if len(names) == 1 && (names[0] == "base64" || names[0] == "entries") ||
		slices.ContainsFunc(names, func(name string) bool { return !utf8.ValidString(name) }) {
		open, separate, end = "[", ",", "]"
		b = append(b, `"entries":[`...)
	}
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, open...)
		b = appendText(b, name)
		b = append(b, separate...)
		b = appendValue(b, m[name])
		b = append(b, end...)
	}
	b = append(b, end...)
	return append(b, '}')
}

var errNotValue = errors.New("not an output")

// readValue returns an output or a part of one. Numbers become json.Number.
func readValue(raw json.RawMessage) (any, error) {
	switch raw[0] {
	case '"':
		return readText(raw)
	case '[':
		var all []json.RawMessage
		if err := json.Unmarshal(raw, &all); err != nil {
			return nil, err
		}
		list := make([]any, len(all))
		for i, raw := range all {
			var err error
			if list[i], err = readValue(raw); err != nil {
				return nil, err
			}
		}
		return list, nil
	case '{':
		return readEntries(raw)
	case 't', 'f':
		return raw[0] == 't', nil
	case 'n':
		return nil, nil
	}
	return json.Number(raw), nil
}

// readEntries returns a map, or the text that stands as an object.
func readEntries(raw json.RawMessage) (any, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, err
	}
	m := make(map[string]any, len(fields))
	if len(fields) == 1 && fields["base64"] != nil {
		return readText(raw)
	}
	if len(fields) == 1 && fields["entries"] != nil {
		var pairs [][2]json.RawMessage
		if err := json.Unmarshal(fields["entries"], &pairs); err != nil {
			return nil, err
		}
		for _, pair := range pairs {
			if pair[0] == nil || pair[1] == nil {
				return nil, errNotValue
			}
			name, err := readText(pair[0])
			if err != nil {
				return nil, err
			}
			if m[name], err = readValue(pair[1]); err != nil {
				return nil, err
			}
		}
		return m, nil
	}
	for name, raw := range fields {
		var err error
		if m[name], err = readValue(raw); err != nil {
			return nil, err
		}
	}
	return m, nil
}
