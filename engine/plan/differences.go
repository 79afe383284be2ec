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

// Difference is a key of a command with the values it has in two of them, in words.
type Difference struct {
	Key      string // as in the file: "stdin", "member 2 shell", or "" for what is run
	Old, New string // "" where the key is not given
}

// Differences returns how two commands differ, by what [Command.Encode] made of them;
// "" is no command. How they are watched over is no difference. The error is that of
// a text which is no encoding.
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
	return slices.DeleteFunc(all, func(d Difference) bool { return d.Old == d.New }), nil
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
	members := 0
	d := wire.NewDecoder([]byte(encoded))
	for d.Next() {
		switch d.Field() {
		case fieldKind:
			say("kind", word(d, "cmd", "task", "exec", "pipe", "parallel", "tee", "merge"))
		case fieldText:
			say("", d.String())
		case fieldArgv:
			say("", schema.CommandLine([]string{d.String()}))
		case fieldMember:
			members++
			inner, err := keysOf(d.String(), fmt.Sprintf("%s member %d", prefix, members))
			if err != nil {
				return nil, err
			}
			keys = append(keys, inner...)
		case fieldVar:
			say("vars", varWords(d.Bytes()))
		case fieldDefer:
			say("defer", "true")
		case fieldIf:
			say("if", d.String())
		case fieldPlatform:
			say("platforms", strings.Trim(d.String(), "/"))
		case fieldInterpreter:
			say("shell", interpreterWords(d.Bytes()))
		case fieldSet:
			say("set", d.String())
		case fieldShopt:
			say("shopt", d.String())
		case fieldStdin:
			say("stdin", cmp.Or(stdinWords(d.Bytes()), "inherit"))
		case fieldStdout:
			say("stdout", cmp.Or(sinkWords(d.Bytes()), "log"))
		case fieldStderr:
			say("stderr", cmp.Or(sinkWords(d.Bytes()), "log"))
		case fieldAccept:
			say("accept", codeWords(d.Bytes()))
		case fieldIgnoreError:
			say("ignore_error", "true")
		case fieldEarlyClose:
			say("early_close", "ok")
		case fieldMode:
			say("mode", word(d, "lines", "raw", "concat"))
		case fieldTTY:
			say("tty", "true")
		}
	}
	return keys, d.Err()
}

// word returns the word for a number.
func word(d *wire.Decoder, words ...string) string {
	if n := d.Uint(); n < uint64(len(words)) {
		return words[n]
	}
	return "?"
}

// inWords joins what say tells of each field of a message.
func inWords(message []byte, say func(d *wire.Decoder) string) string {
	var words []string
	for d := wire.NewDecoder(message); d.Next(); {
		if w := say(d); w != "" {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}

func interpreterWords(message []byte) string {
	return inWords(message, func(d *wire.Decoder) string {
		if d.Field() == 1 {
			return "" // the words say it all
		}
		return schema.CommandLine([]string{d.String()})
	})
}

func stdinWords(message []byte) string {
	return inWords(message, func(d *wire.Decoder) string {
		switch d.Field() {
		case 1:
			return word(d, "inherit", "null", "text", "file", "from", "output")
		case 3:
			return varWords(d.Bytes())
		}
		return d.String()
	})
}

func sinkWords(message []byte) string {
	return inWords(message, func(d *wire.Decoder) string {
		switch d.Field() {
		case 1:
			return word(d, "log", "inherit", "null", "capture", "file", "stdout")
		case 2:
			return d.String()
		case 3:
			return "append"
		case 4:
			return "in place"
		case 5:
			return strconv.FormatInt(d.Int(), 10)
		}
		return word(d, "fail", "truncate", "tail")
	})
}

// varWords is a variable as NAME=VALUE.
func varWords(message []byte) string {
	name, value := "", ""
	for d := wire.NewDecoder(message); d.Next(); {
		switch d.Field() {
		case 1:
			name = d.String()
		case 3, 4:
			value = d.String()
		}
	}
	return name + "=" + value
}

func codeWords(message []byte) string {
	codes := []uint64{}
	for d := wire.NewDecoder(message); d.Next(); {
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
