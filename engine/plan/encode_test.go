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

// full is a command that says something under every key.
func full() *Command {
	return &Command{
		Kind: Script, Text: "x", Shown: "x", Argv: []string{"a"}, If: "x", Platforms: []Platform{{OS: "linux", Arch: "arm64"}},
		Members: []Command{{Text: "m", Process: &Process{}}}, Vars: schema.Vars{{Name: "V", Value: "v"}}, Timeout: time.Second,
		Process: &Process{
			Interpreter: Interpreter{Name: "sh", Argv: []string{"sh", "-c"}}, Set: []string{"e"}, Shopt: []string{"globstar"},
			Stdin: &Stdin{Text: "in", Vars: schema.Vars{{Name: "W"}}}, Stdout: []Sink{{Kind: SinkCapture, Max: 1}}, Stderr: []Sink{{File: "f"}},
			Accept: []int{1}, IdleTimeout: time.Second, Stop: Stop{Signal: syscall.SIGINT}, Signals: map[syscall.Signal]syscall.Signal{},
			Retry: Retry{Max: 1, Codes: []int{1}, Match: regexp.MustCompile("x")},
		},
	}
}

// notEncoded says why a field is in no encoding.
var notEncoded = map[string]string{
	"Pos": "only people see it", "Shown": "only people see it", "Silent": "only people see it",
	"Vars.Pos": "only people see it", "Vars.Secret": "only people see it",
	"Vars.Text": "of a variable with a value it says nothing", "Vars.Dir": "where the files are is no part of what is done",
	"Process.Stdin.Own":  "it follows from what the others of the task read",
	"Process.Stderr.Max": "it is only for a capture", "Process.Stderr.Overflow": "it is only for a capture",
	"Process.Signals": "no successful run differs by them, and nobody elsewhere is sent any",
}

// watched are the fields that say how a command is watched over.
var watched = []string{"Timeout", "Process.IdleTimeout", "Process.Retry", "Process.Stop", "Process.Leftover"}

// TestEncodeCovers: another value in any field is another encoding, with how it is
// watched over or without, as it has to be.
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
		name := strings.Replace(path, "Process.Stdin.Vars.", "Vars.", 1)
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

// eachField calls f while each exported field below v has another value. Of a list it
// is the first element.
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

// TestEncodeCanonical: fields stand in ascending order, and what is the default does
// not stand there at all.
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
		empty := &Command{Process: &Process{}}
		if got := empty.Encode(nil, whole); len(got) != 0 {
			t.Errorf("a command that says nothing is %x", got)
		}
	}
}

// TestEncodeStays: an encoding is compared with those of earlier versions, so it stays
// what it is.
func TestEncodeStays(t *testing.T) {
	p := &Process{}
	for _, tt := range []struct {
		c    Command
		want string
	}{
		{Command{Text: "go build", Process: p}, "1208676f206275696c64"},
		{Command{Kind: Exec, Argv: []string{"a", ""}, Process: p}, "08021a01611a00"},
		{Command{Kind: Pipe, Members: []Command{{Text: "a", Process: p}, {Text: "b", Process: p}}, Process: p}, "08032203120161" + "2203120162"},
		{Command{Text: "\xff", Process: &Process{Accept: []int{0, 200}}}, "1201ff" + "7a050a0300c801"},
	} {
		if got := hex.EncodeToString(tt.c.Encode(nil, false)); got != tt.want {
			t.Errorf("%+v is %s, want %s", tt.c, got, tt.want)
		}
	}
}

// TestDifferences: what differs is named by the key of the file, in words.
func TestDifferences(t *testing.T) {
	p := func(p Process) *Process { return &p }
	plain := p(Process{})
	for name, tt := range map[string]struct {
		old, new Command
		want     string
	}{
		"same":     {Command{Text: "x", Process: plain}, Command{Text: "x", Process: plain}, ""},
		"text":     {Command{Text: "x", Process: plain}, Command{Text: "y", Process: plain}, "=x>y"},
		"new":      {Command{Process: plain}, Command{Text: "y", If: "z", Process: plain}, "=>y if=>z"},
		"argv":     {Command{Kind: Exec, Argv: []string{"a b"}, Process: plain}, Command{Kind: Exec, Argv: []string{"a", "b"}, Process: plain}, "='a b'>a b"},
		"kind":     {Command{Text: "x", Process: plain}, Command{Kind: TaskCall, Text: "x", Process: plain}, "kind=>task"},
		"vars":     {Command{Kind: TaskCall, Vars: schema.Vars{{Name: "A", Value: 1}}, Process: plain}, Command{Kind: TaskCall, Process: plain}, "vars=A=1>"},
		"platform": {Command{Process: plain}, Command{Platforms: []Platform{{OS: "linux"}, {Arch: "arm64"}}, Process: plain}, "platforms=>linux arm64"},
		"flags":    {Command{Process: plain}, Command{Defer: true, IgnoreError: true, EarlyClose: true, Mode: MergeRaw, Process: p(Process{TTY: true})}, "defer=>true ignore_error=>true early_close=>ok mode=>raw tty=>true"},
		"members": {
			Command{Kind: Pipe, Members: []Command{{Text: "a", Process: plain}, {Text: "b", Process: plain}}, Process: plain},
			Command{Kind: Pipe, Members: []Command{{Text: "a", Process: plain}, {Text: "c", Process: p(Process{Set: []string{"e"}})}}, Process: plain},
			"member 2=b>c member 2 set=>e",
		},
		"process": {
			Command{Process: p(Process{Interpreter: Interpreter{Name: "sh", Argv: []string{"sh", "-c"}}, Stdin: &Stdin{}, Stdout: []Sink{{}, {Kind: SinkFile, File: "f", Append: true, InPlace: true}}, Accept: []int{0, 200}})},
			Command{Process: p(Process{Interpreter: Interpreter{Argv: []string{"zsh"}}, Stdin: &Stdin{Kind: StdinOutput, Text: "t", Vars: schema.Vars{{Name: "A", Value: "a"}}}, Stderr: []Sink{{Kind: SinkCapture, Max: 9, Overflow: OverflowTail}}, Accept: []int{}})},
			"shell=sh -c>zsh stdin=inherit>output t A=a stderr=>capture 9 tail accept=[0 200]>[] stdout=log file f append in place>",
		},
		"watched": {Command{Timeout: 1, Process: plain}, Command{Process: plain}, ""},
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

// FuzzDifferences: whatever a state file holds, telling differences ends, and a command
// does not differ from itself.
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

// BenchmarkEncode is what the fingerprint costs for a command.
func BenchmarkEncode(b *testing.B) {
	c := &Command{Text: "cc -O2 -c -o file.o file.c", Process: &Process{}}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = c.Encode(buf[:0], false)
	}
	if !bytes.Contains(buf, []byte("cc")) {
		b.Fatal("it says nothing")
	}
}
