package cache

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/golden.txt")

// step is one of testdata/steps.json. The module in the directory official has the same type.
type step struct {
	Name  string
	Files []struct {
		Path, Target string
		Content      *string // nil: the link is dangling
		Executable   bool
	}
	Many      int // number of additional files, in directories of 100
	Dirs      []string
	Dir, Salt string
	Commands  []string
	Generates []Pattern
	Outputs   []Value
	Captured  bool
	Inputs    []string
	Keys      []string
	Inherited []Inherited
	Env       map[string]string

	// Of a run elsewhere; nil: there is none.
	Limit  string // as a duration; "" for none
	Worker *struct {
		Runner, Installed string // content of the runner, or its path
		Platform          []Property
		Env               map[string]string
		Timeout           string // as a duration; "" for none
		Volatile          bool
	}
}

// worker returns the worker of s.
func (s *step) worker(t *testing.T) *Worker {
	w := &Worker{Installed: s.Worker.Installed, Platform: s.Worker.Platform, Timeout: duration(t, s.Worker.Timeout), Volatile: s.Worker.Volatile}
	if s.Worker.Installed == "" {
		w.Runner = DigestOf([]byte(s.Worker.Runner))
	}
	for name, value := range s.Worker.Env {
		w.Env = append(w.Env, EnvironmentVariable{Name: name, Value: value})
	}
	return w
}

func duration(t *testing.T, text string) time.Duration {
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (s *step) inputs() *Inputs {
	in := &Inputs{Dirs: s.Dirs, Salt: s.Salt}
	for _, f := range s.Files {
		file := File{Path: f.Path, Target: f.Target, Executable: f.Executable}
		if f.Content != nil {
			file.Digest = DigestOf([]byte(*f.Content))
		}
		in.Files = append(in.Files, file)
	}
	for i := range s.Many {
		in.Files = append(in.Files, File{Path: fmt.Sprintf("many/%d/%d", i/100, i), Digest: DigestOf([]byte{byte(i)})})
	}
	in.Act = Act{Dir: s.Dir, Generates: s.Generates, Outputs: s.Outputs, Captured: s.Captured, Keys: s.Keys, Inherited: s.Inherited}
	for _, c := range s.Commands {
		in.Act.Commands = append(in.Act.Commands, []byte(c))
	}
	for _, i := range s.Inputs {
		in.Act.Inputs = append(in.Act.Inputs, []byte(i))
	}
	for name, value := range s.Env {
		in.Env = append(in.Env, EnvironmentVariable{Name: name, Value: value})
	}
	return in
}

// TestGoldenKeys: the keys of some steps never change. A change would make all cached results
// useless, and requires another version in act and salt.
func TestGoldenKeys(t *testing.T) {
	var steps []step
	b, err := os.ReadFile("testdata/steps.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &steps); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	write := func(name string, k *Key, err error) {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		a, err := DecodeAction(k.Messages[0])
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&got, "%s: action %v command %v root %v\n", name, k.Action, a.Command, a.InputRoot)
	}
	for i := range steps {
		s := &steps[i]
		k, err := newKey(s.inputs(), Platform{{"ISA", "x86-64"}, {"OSFamily", "linux"}})
		write(s.Name, k, err)
		if s.Worker != nil {
			in := s.inputs()
			in.Act.Limit = duration(t, s.Limit)
			k, err := NewRemoteKey(in, s.worker(t))
			write(s.Name+", elsewhere", k, err)
		}
	}
	if *update {
		if err := os.WriteFile("testdata/golden.txt", []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/golden.txt")
	if err != nil || got.String() != string(want) {
		t.Errorf("%v; got\n%s\nwant\n%s", err, got.String(), want)
	}
}

// TestOfficialTypes compares messages, byte for byte, with those of the official types, which are
// in a module of their own.
func TestOfficialTypes(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles gRPC")
	}
	run := func(args ...string) (string, error) {
		cmd := exec.Command("go", args...)
		cmd.Dir = "official"
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	switch out, err := run("list", "-deps", "-test", "./..."); {
	case err == nil:
	case strings.Contains(out, "go.mod") || strings.Contains(out, "go.sum"): // not the error of a missing network
		t.Fatalf("%v; run go mod tidy in engine/cache/official\n%s", err, out)
	default:
		t.Skipf("the modules of the official types cannot be had: %v\n%s", err, out)
	}
	if out, err := run("test", "./..."); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
