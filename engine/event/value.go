package event

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// UTF-8 text is a JSON string. Any other text is an object: {"base64": "…"}.

// appendText appends s.
func appendText(b []byte, s string) []byte {
	if isPlain(s) {
		b = append(append(b, '"'), s...)
		return append(b, '"')
	}
	if utf8.ValidString(s) {
		return appendQuoted(b, s)
	}
	b = append(b, `{"base64":"`...)
	b = base64.StdEncoding.AppendEncode(b, []byte(s))
	return append(b, `"}`...)
}

// AppendText appends s as a JSON string with invalid UTF-8 replaced.
func AppendText(b []byte, s string) []byte { return appendQuoted(b, strings.ToValidUTF8(s, "\uFFFD")) }

// isPlain reports whether s is ASCII that needs no escapes in a JSON string, as most texts.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

const hex = "0123456789abcdef"

// appendQuoted appends s, which is UTF-8, as a JSON string.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	done := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[done:i]...)
		done = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	b = append(b, s[done:]...)
	return append(b, '"')
}

// readText returns a text.
func readText(raw []byte) (s string, err error) {
	if raw[0] == '"' {
		return string(unquote(raw)), nil
	}
	var object struct{ Base64 *[]byte }
	if err := json.Unmarshal(raw, &object); err != nil || object.Base64 == nil {
		return "", errors.New("not a text")
	}
	return string(*object.Base64), nil
}

// The outputs of a step are arbitrary JSON with texts and names of arbitrary bytes. An object with
// a name that is not UTF-8, or one that would be mistaken for a special form, is a list of names
// and values: {"entries": [[name, value], …]}.

// writable returns the encoded form of an output, or of a part of one.
func writable(v any) any {
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) {
			return map[string][]byte{"base64": []byte(v)}
		}
	case []any:
		list := make([]any, len(v))
		for i, x := range v {
			list[i] = writable(x)
		}
		return list
	case map[string]any:
		object, entries := make(map[string]any, len(v)), [][2]any{}
		odd := len(v) == 1 && (v["base64"] != nil || v["entries"] != nil)
		for _, name := range slices.Sorted(maps.Keys(v)) {
			value := writable(v[name])
			object[name] = value
			entries = append(entries, [2]any{writable(name), value})
			odd = odd || !utf8.ValidString(name)
		}
		if odd {
			return map[string]any{"entries": entries}
		}
		return object
	}
	return v
}

var errNotValue = errors.New("not an output")

// original reverses writable: v is decoded JSON. Lists and objects are modified.
func original(v any) (_ any, err error) {
	switch v := v.(type) {
	case []any:
		for i := range v {
			if v[i], err = original(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		if text, ok := v["base64"].(string); ok && len(v) == 1 {
			b, err := base64.StdEncoding.DecodeString(text)
			return string(b), err
		}
		if entries, ok := v["entries"].([]any); ok && len(v) == 1 {
			return originalEntries(entries)
		}
		for name := range v {
			if v[name], err = original(v[name]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func originalEntries(entries []any) (any, error) {
	m := make(map[string]any, len(entries))
	for _, entry := range entries {
		both, err := original(entry)
		pair, ok := both.([]any)
		if err != nil || !ok || len(pair) != 2 {
			return nil, errNotValue
		}
		name, ok := pair[0].(string)
		if !ok {
			return nil, errNotValue
		}
		m[name] = pair[1]
	}
	return m, nil
}
