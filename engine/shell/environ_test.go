package shell

import (
	"fmt"
	"testing"

	"mvdan.cc/sh/v3/expand"
)

// environOf returns an environment of n variables, of which the last overrides the first.
func environOf(n int) []string {
	env := make([]string, n)
	for i := range env {
		env[i] = fmt.Sprintf("VARIABLE_NUMBER_%d=value %d", i%(n-1), i)
	}
	return env
}

func TestEnvironIndex(t *testing.T) {
	for _, n := range []int{2, 64, 1000} {
		e := newEnviron(append(environOf(n), "=x", "nothing", "WEFT_RUN_ID=1"))
		if got, want := e.Get("VARIABLE_NUMBER_0").Str, fmt.Sprintf("value %d", n-1); got != want {
			t.Errorf("of two values %q is read, not %q", got, want)
		}
		if e.Get("VARIABLE").Set || e.Get("WEFT_RUN_ID").Set || e.Get("nothing").Set {
			t.Error("a variable that is not there has a value")
		}
		names := map[string]bool{}
		e.Each(func(name string, v expand.Variable) bool {
			names[name] = v.Exported
			return true
		})
		if len(names) != n-1 {
			t.Errorf("%d variables, want %d", len(names), n-1)
		}
	}
}

// TestProgramEnv: a program gets what is exported in the end.
func TestProgramEnv(t *testing.T) {
	text := func(s string, exported bool) expand.Variable {
		return expand.Variable{Set: true, Exported: exported, Kind: expand.String, Str: s}
	}
	got := programEnv(listed{{"A", text("1", true)}, {"B", text("2", true)}, {"A", text("3", true)}, {"B", text("4", false)}, {"C", text("5", false)},
		{"D", text("6", true)}, {"D", text("7", false)}, {"D", text("8", true)}, {jobPrefix + "x", text("9", true)}})
	if fmt.Sprint(got) != "[A=3 D=8]" {
		t.Errorf("got %q", got)
	}
}

// listed is an environment in which a name may occur several times, as in the interpreter.
type listed []struct {
	name  string
	value expand.Variable
}

func (l listed) Get(string) expand.Variable { return expand.Variable{} }

func (l listed) Each(f func(name string, v expand.Variable) bool) {
	for _, e := range l {
		if !f(e.name, e.value) {
			return
		}
	}
}

func BenchmarkEnviron(b *testing.B) {
	for _, n := range []int{30, 100, 1000} {
		env := environOf(n)
		e := newEnviron(env)
		b.Run(fmt.Sprintf("new/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				newEnviron(env)
			}
		})
		b.Run(fmt.Sprintf("get/%d", n), func(b *testing.B) {
			for b.Loop() {
				e.Get("VARIABLE_NUMBER_7")
			}
		})
		b.Run(fmt.Sprintf("program/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				programEnv(e)
			}
		})
	}
}
