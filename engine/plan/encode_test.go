package plan

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weftrun/weft/internal/wire"
	"github.com/weftrun/weft/schema"
)

// script returns a command with only a text.
func script(text string) Command { return with(Command{Text: text}, CommandOptions{}, Process{}) }

// with returns c with its options and its process.
func with(c Command, o CommandOptions, p Process) Command {
	c.CommandOptions, c.Process = &o, &p
	return c
}

// full returns a command with a value for every key.
func full() *Command {
	return &Command{
		Kind: schema.Shell, Text: "x", Shown: "x",
		CommandOptions: &CommandOptions{
			Argv: []string{"a"}, Members: []Command{script("m")}, Vars: schema.Vars{{Name: "V", Value: "v"}},
			If: "x", Platforms: []schema.Platform{{OS: "linux", Arch: "arm64"}}, Timeout: time.Second, Background: true,
		},
		Process: &Process{
			Interpreter: schema.Interpreter{Name: "sh", Argv: []string{"sh", "-c"}}, Set: []string{"e"}, Shopt: []string{"globstar"},
			Stdin: &Stdin{Text: "in", Vars: schema.Vars{{Name: "W"}}}, Stdout: []Sink{{Kind: SinkCapture, Max: 1, Rotate: &Rotate{}}}, Stderr: []Sink{{File: "f", Rotate: &Rotate{}}},
			Accept: []int{1}, IdleTimeout: time.Second, Stop: Stop{Signal: syscall.SIGINT}, Signals: map[syscall.Signal]syscall.Signal{},
			User: "u", Limits: &Limits{Core: new(int64), Nice: new(int)}, IPC: &IPC{Send: []string{"1"}, To: &TaskRef{Text: "t", Vars: schema.Vars{{Name: "W"}}}},
			Retry: Retry{Max: 1, Codes: []int{1}, Match: regexp.MustCompile("x")},
		},
	}
}

// notEncoded has the reasons why fields are not encoded.
var notEncoded = map[string]string{
	"Pos": "only people see it", "Shown": "only people see it", "Silent": "only people see it",
	"Vars.Pos": "only people see it", "Vars.Secret": "only people see it",
	"Vars.Text": "of a variable with a value it says nothing", "Vars.Dir": "where the files are is no part of what is done",
	"Stdin.PerCommand": "it follows from what the others of the task read",
	"Stderr.Max":       "it is only for a capture", "Stderr.Overflow": "it is only for a capture",
	"Signals": "no successful run differs by them, and nobody elsewhere is sent any",
}

// watched are the fields of a command's supervision.
var watched = []string{"Timeout", "IdleTimeout", "Retry", "Stop", "Leftover", "Limits"}

// TestEncodeCovers: another value in any field gives another encoding, with or without supervision,
// as required.
func TestEncodeCovers(t *testing.T) {
	type encoding struct{ done, whole string }
	of := func(c *Command) encoding {
		return encoding{string(c.Encode(nil, false)), string(c.Encode(nil, true))}
	}
	base := of(full())
	excused := map[string]bool{}
	c := full()
	eachField(reflect.ValueOf(c).Elem(), "", func(path string) {
		got := of(c)
		name := strings.Replace(strings.Replace(path, "Stdin.Vars.", "Vars.", 1), "IPC.To.Vars.", "Vars.", 1)
		_, excuse := notEncoded[name]
		excused[name] = excuse
		only := false
		for _, w := range watched {
			only = only || path == w || strings.HasPrefix(path, w+".")
		}
		if want := !excuse; (got.whole != base.whole) != want {
			t.Errorf("%s: another value makes another encoding: %t, want %t", path, !want, want)
		}
		if want := !excuse && !only; (got.done != base.done) != want {
			t.Errorf("%s: another value makes another encoding of what is done: %t, want %t", path, !want, want)
		}
	})
	for path := range notEncoded {
		if !excused[path] {
			t.Errorf("%s: there is no such field", path)
		}
	}
}

// eachField calls f while each exported field below v has another value. In a list it changes the
// first element.
func eachField(v reflect.Value, path string, f func(path string)) {
	change := func(to reflect.Value) {
		old := reflect.ValueOf(v.Interface())
		v.Set(to)
		f(path)
		if !old.IsValid() {
			old = reflect.Zero(v.Type())
		}
		v.Set(old)
	}
	switch v.Kind() {
	case reflect.String:
		change(reflect.ValueOf(v.String() + "!").Convert(v.Type()))
	case reflect.Bool:
		change(reflect.ValueOf(!v.Bool()))
	case reflect.Int, reflect.Int32, reflect.Int64:
		change(reflect.ValueOf(v.Int() + 1).Convert(v.Type()))
	case reflect.Uint8:
		change(reflect.ValueOf(v.Uint() + 1).Convert(v.Type()))
	case reflect.Float64:
		change(reflect.ValueOf(v.Float() + 1))
	case reflect.Interface:
		change(reflect.ValueOf(7))
	case reflect.Map:
		change(reflect.ValueOf(map[syscall.Signal]syscall.Signal{1: 2}))
	case reflect.Pointer:
		if v.Type() == reflect.TypeFor[*regexp.Regexp]() {
			change(reflect.ValueOf(regexp.MustCompile("other")))
			return
		}
		eachField(v.Elem(), path, f)
	case reflect.Slice:
		if v.Len() == 0 {
			panic(path + " is empty")
		}
		change(v.Slice(0, 0))
		if v.Type() != reflect.TypeFor[[]Command]() { // they are as this one
			eachField(v.Index(0), path, f)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			switch name := strings.TrimPrefix(path+"."+field.Name, "."); {
			case field.Anonymous:
				eachField(v.Field(i), path, f)
			case !field.IsExported():
			case field.Name == "Pos":
				f(name)
			default:
				eachField(v.Field(i), name, f)
			}
		}
	default:
		panic(path + ": " + v.Kind().String())
	}
}

// TestEncodeCanonical: fields are in ascending order, and defaults are omitted.
func TestEncodeCanonical(t *testing.T) {
	for _, whole := range []bool{false, true} {
		last := 0
		d := wire.NewDecoder(full().Encode(nil, whole))
		for d.Next() {
			if d.Field() < last {
				t.Errorf("field %d stands after field %d", d.Field(), last)
			}
			last = d.Field()
		}
		if d.Err() != nil {
			t.Error(d.Err())
		}
		empty := script("")
		if got := empty.Encode(nil, whole); len(got) != 0 {
			t.Errorf("a command that says nothing is %x", got)
		}
	}
}

// TestEncodeStays: encodings are the same as in earlier versions, with which they are compared.
func TestEncodeStays(t *testing.T) {
	for _, tt := range []struct {
		c    Command
		want string
	}{
		{script("go build"), "1208676f206275696c64"},
		{with(Command{Kind: schema.Exec}, CommandOptions{Argv: []string{"a", ""}}, Process{}), "08021a01611a00"},
		{with(Command{Kind: Pipe}, CommandOptions{Members: []Command{script("a"), script("b")}}, Process{}), "08032203120161" + "2203120162"},
		{with(Command{Text: "\xff"}, CommandOptions{}, Process{Accept: []int{0, 200}}), "1201ff" + "7a050a0300c801"},
	} {
		if got := hex.EncodeToString(tt.c.Encode(nil, false)); got != tt.want {
			t.Errorf("%+v is %s, want %s", tt.c, got, tt.want)
		}
	}
}

// TestDifferences: differences are named by the keys of the file, in words.
func TestDifferences(t *testing.T) {
	none := with(Command{}, CommandOptions{}, Process{})
	for name, tt := range map[string]struct {
		old, new Command
		want     string
	}{
		"same": {script("x"), script("x"), ""},
		"text": {script("x"), script("y"), "=x>y"},
		"new":  {none, with(Command{Text: "y"}, CommandOptions{If: "z"}, Process{}), "=>y if=>z"},
		"argv": {
			with(Command{Kind: schema.Exec}, CommandOptions{Argv: []string{"a b"}}, Process{}),
			with(Command{Kind: schema.Exec}, CommandOptions{Argv: []string{"a", "b"}}, Process{}), "='a b'>a b",
		},
		"kind": {script("x"), with(Command{Kind: TaskCall, Text: "x"}, CommandOptions{}, Process{}), "kind=>task"},
		"vars": {
			with(Command{Kind: TaskCall}, CommandOptions{Vars: schema.Vars{{Name: "A", Value: 1}}}, Process{}),
			with(Command{Kind: TaskCall}, CommandOptions{}, Process{}), "vars=A=1>",
		},
		"platform": {none, with(Command{}, CommandOptions{Platforms: []schema.Platform{{OS: "linux"}, {Arch: "arm64"}}}, Process{}), "platforms=>linux arm64"},
		"flags": {
			none, with(Command{Defer: true, IgnoreError: true}, CommandOptions{EarlyClose: true, Mode: MergeRaw, Background: true}, Process{TTY: true, User: "u"}),
			"defer=>true ignore_error=>true early_close=>ok mode=>raw tty=>true background=>true user=>u",
		},
		"members": {
			with(Command{Kind: Pipe}, CommandOptions{Members: []Command{script("a"), script("b")}}, Process{}),
			with(Command{Kind: Pipe}, CommandOptions{Members: []Command{script("a"), with(Command{Text: "c"}, CommandOptions{}, Process{Set: []string{"e"}})}}, Process{}),
			"member 2=b>c member 2 set=>e",
		},
		"process": {
			with(Command{}, CommandOptions{}, Process{Interpreter: schema.Interpreter{Name: "sh", Argv: []string{"sh", "-c"}}, Stdin: &Stdin{}, Stdout: []Sink{{}, {Kind: SinkFile, File: "f", Append: true, InPlace: true}}, Accept: []int{0, 200}}),
			with(Command{}, CommandOptions{}, Process{Interpreter: schema.Interpreter{Argv: []string{"zsh"}}, Stdin: &Stdin{Kind: StdinOutput, Text: "t", Vars: schema.Vars{{Name: "A", Value: "a"}}}, Stderr: []Sink{{Kind: SinkCapture, Max: 9, Overflow: OverflowTail}}, Accept: []int{}}),
			"shell=sh -c>zsh stdin=inherit>output t A=a stderr=>capture 9 tail accept=[0 200]>[] stdout=log file f append in place>",
		},
		"messages": {
			none, with(Command{}, CommandOptions{}, Process{IPC: &IPC{Send: []string{"1", `{"a":2}`}, Expect: 3, Schema: "f", To: &TaskRef{Text: "t", Vars: schema.Vars{{Name: "A", Value: "a"}}}}}),
			`ipc=>send 1 send {"a":2} expect 3 schema f to t A=a`,
		},
		"channel": {none, with(Command{}, CommandOptions{}, Process{IPC: &IPC{}}), "ipc=>true"},
		"rotated": {
			none, with(Command{}, CommandOptions{}, Process{Stdout: []Sink{{Kind: SinkFile, File: "f", Rotate: &Rotate{Size: 10, Keep: 2}}}}),
			"stdout=>file f rotate 10 2",
		},
		"watched": {with(Command{}, CommandOptions{Timeout: 1}, Process{Leftover: LeftoverKill}), none, ""},
	} {
		ds, err := Differences(string(tt.old.Encode(nil, false)), string(tt.new.Encode(nil, false)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, d := range ds {
			got = append(got, d.Key+"="+d.Old+">"+d.New)
		}
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
	if _, err := Differences("changed", ""); err == nil {
		t.Error("a word is taken for an encoding")
	}
}

// FuzzDifferences: for any content of a state file Differences returns, and a command does not
// differ from itself.
func FuzzDifferences(f *testing.F) {
	f.Add(string(full().Encode(nil, true)))
	f.Add("changed")
	f.Fuzz(func(t *testing.T, encoded string) {
		if ds, err := Differences(encoded, encoded); err == nil && len(ds) > 0 {
			t.Errorf("it differs from itself: %q", ds)
		}
		Differences(encoded, "")
	})
}

// BenchmarkEncode measures the encoding of a command for the fingerprint.
func BenchmarkEncode(b *testing.B) {
	c := script("cc -O2 -c -o file.o file.c")
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = c.Encode(buf[:0], false)
	}
	if !bytes.Contains(buf, []byte("cc")) {
		b.Fatal("it says nothing")
	}
}
