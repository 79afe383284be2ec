package plan

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weftrun/weft/internal/wire"
	"github.com/weftrun/weft/schema"
)

// Difference is a key of a command with its two different values, as text.
type Difference struct {
	Key      string // as in the file: "stdin", "member 2 shell", or "" for the command itself
	Old, New string // "" if the key is not given
}

// Differences returns how two commands differ, from their encodings by [Command.Encode]; "" means
// no command. Supervision is no difference. The error is that of a text that is not an encoding.
func Differences(old, new string) ([]Difference, error) {
	before, err := keysOf(old, "")
	if err != nil {
		return nil, err
	}
	all, err := keysOf(new, "")
	if err != nil {
		return nil, err
	}
	for _, b := range before {
		i := slices.IndexFunc(all, func(d Difference) bool { return d.Key == b.Key })
		if i < 0 {
			i, all = len(all), append(all, Difference{Key: b.Key})
		}
		all[i].Old = b.New
	}
	differing := all[:0]
	for _, d := range all {
		if d.Old != d.New {
			differing = append(differing, d)
		}
	}
	return differing, nil
}

// keysOf returns the keys of an encoded command with their values as New, and those of
// its members. They begin with prefix.
func keysOf(encoded, prefix string) (keys []Difference, err error) {
	say := func(key, value string) {
		key = strings.TrimSpace(prefix + " " + key)
		if i := slices.IndexFunc(keys, func(d Difference) bool { return d.Key == key }); i >= 0 {
			keys[i].New += " " + value // one more of a list
			return
		}
		keys = append(keys, Difference{Key: key, New: value})
	}
	if len(prefix) > 1<<10 {
		return nil, wire.ErrMalformed // nested deeper than any command
	}
	members, all := 0, commandFields()
	d := wire.NewDecoder([]byte(encoded))
	for d.Next() {
		if field := d.Field(); field == fieldMember {
			members++
			inner, err := keysOf(d.String(), fmt.Sprintf("%s member %d", prefix, members))
			if err != nil {
				return nil, err
			}
			keys = append(keys, inner...)
		} else if field < len(all) && all[field].value != nil {
			say(all[field].key, all[field].value(d))
		}
	}
	return keys, d.Err()
}

// inWords formats the value of a field.
type inWords func(d *wire.Decoder) string

// commandFields returns the keys and values of a command's fields by their numbers. Members and
// supervision are not among them.
func commandFields() []struct {
	key   string
	value inWords
} {
	words := func(d *wire.Decoder) string { return schema.CommandLine([]string{d.String()}) }
	sink := allOf("log", oneOf("log", "inherit", "null", "capture", "file", "stdout"), (*wire.Decoder).String, fixed("append"),
		fixed("in place"), numberAfter(""), oneOf("fail", "truncate", "tail"), textAfter("rotate "))
	return []struct {
		key   string
		value inWords
	}{
		fieldKind:        {"kind", oneOf("cmd", "task", "exec", "pipe", "parallel", "tee", "merge")},
		fieldText:        {"", (*wire.Decoder).String},
		fieldArgv:        {"", words},
		fieldVar:         {"vars", varWords},
		fieldDefer:       {"defer", fixed("true")},
		fieldIf:          {"if", (*wire.Decoder).String},
		fieldPlatform:    {"platforms", func(d *wire.Decoder) string { return strings.Trim(d.String(), "/") }},
		fieldInterpreter: {"shell", allOf("", fixed(""), words)},
		fieldSet:         {"set", (*wire.Decoder).String},
		fieldShopt:       {"shopt", (*wire.Decoder).String},
		fieldStdin:       {"stdin", allOf("inherit", oneOf("inherit", "null", "text", "file", "from", "output", "route"), (*wire.Decoder).String, varWords)},
		fieldStdout:      {"stdout", sink},
		fieldStderr:      {"stderr", sink},
		fieldAccept:      {"accept", codeWords},
		fieldIgnoreError: {"ignore_error", fixed("true")},
		fieldEarlyClose:  {"early_close", fixed("ok")},
		fieldMode:        {"mode", oneOf("lines", "raw", "concat")},
		fieldTTY:         {"tty", fixed("true")},
		fieldBackground:  {"background", fixed("true")},
		fieldUser:        {"user", (*wire.Decoder).String},
		fieldIPC:         {"ipc", allOf("true", textAfter("send "), numberAfter("expect "), textAfter("schema "), textAfter("to "), varWords)},
	}
}

func fixed(word string) inWords     { return func(*wire.Decoder) string { return word } }
func textAfter(word string) inWords { return func(d *wire.Decoder) string { return word + d.String() } }
func numberAfter(word string) inWords {
	return func(d *wire.Decoder) string { return word + strconv.FormatInt(d.Int(), 10) }
}

// oneOf has a word for each number.
func oneOf(words ...string) inWords {
	return func(d *wire.Decoder) string {
		if n := d.Uint(); n < uint64(len(words)) {
			return words[n]
		}
		return "?"
	}
}

// allOf joins the words of a message's fields, which are numbered from 1. Without any it is
// empty.
func allOf(empty string, fields ...inWords) inWords {
	return func(d *wire.Decoder) string {
		var words []string
		for d := wire.NewDecoder(d.Bytes()); d.Next(); {
			if i := d.Field() - 1; i < len(fields) {
				if w := fields[i](d); w != "" {
					words = append(words, w)
				}
			}
		}
		return cmp.Or(strings.Join(words, " "), empty)
	}
}

// varWords returns a variable as NAME=VALUE.
func varWords(d *wire.Decoder) string {
	name, value := "", ""
	for d := wire.NewDecoder(d.Bytes()); d.Next(); {
		switch d.Field() {
		case 1:
			name = d.String()
		case 3, 4:
			value = d.String()
		}
	}
	return name + "=" + value
}

func codeWords(d *wire.Decoder) string {
	codes := []uint64{}
	for d := wire.NewDecoder(d.Bytes()); d.Next(); {
		for packed := d.Bytes(); len(packed) > 0; {
			code, n := binary.Uvarint(packed)
			if n <= 0 {
				break
			}
			codes, packed = append(codes, code), packed[n:]
		}
	}
	return fmt.Sprint(codes)
}
