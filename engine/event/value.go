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

// appendQuoted appends s, which is UTF-8, as a string of JSON.
func appendQuoted[T string | []byte](b []byte, s T) []byte {
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

// writable is an output, or a part of one, as it stands in event files.
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

// original undoes writable: v is what JSON makes of it. Lists and objects are changed.
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
