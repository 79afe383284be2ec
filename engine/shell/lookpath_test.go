package shell

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// TestLookPath compares with the interpreter's own search.
func TestLookPath(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"a", "b", "b/prog2", "sub"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{"a/prog": 0o644, "b/prog": 0o755, "here": 0o755, "b/other": 0o711, "sub/x": 0o644} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	os.Symlink("nowhere", filepath.Join(dir, "a/dangling"))
	for _, path := range []string{"", ":", ".", "a:b", "b:a", dir + "/a:" + dir + "/b", "::b", "b:", "nope:b", dir + "//b/", "../" + filepath.Base(dir) + "/b"} {
		for _, name := range []string{"prog", "prog2", "here", "other", "dangling", "none", "./here", "sub/x", "sub", "/", dir + "/b/prog", dir + "/b/../here", "..", ".", "a/dangling", "./none"} {
			want, wantErr := interp.LookPathDir(dir, expand.ListEnviron("PATH="+path), name)
			got, gotErr := lookPath(dir, path, name)
			if got != want || (gotErr == nil) != (wantErr == nil) || gotErr != nil && gotErr.Error() != wantErr.Error() {
				t.Errorf("PATH=%s %s: got %q, %v; want %q, %v", path, name, got, gotErr, want, wantErr)
			}
		}
	}
}

func BenchmarkLookPath(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		lookPath("/", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "env")
	}
}

// FuzzSimple compares the parser's words of simple commands with the interpreter's expansion.
func FuzzSimple(f *testing.F) {
	for _, s := range []string{"a 'b' \"c\"", "a b\\ c", "echo a{b,c}", "~ x", "a ~", "$x", "x*", "'a'b\"c\"", "a [b", "a \"$b\"", "a 'x\ny'", "echo -e x", "a \"\"", "a\tb # c", "a=b c", "a \\\nb", "a b=~/c", "a {1..3}", "a @(x)", "a !x", "a | 'b' c |\\\nd # x", "a | b >x", "! a | b", "a |& b", "a | (b)", "a | echo b", "(a) | b", "a &| b", "()."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var c scripts
		p := c.analyse(text, "", false)
		if p.err != nil || p.kind == script || len(p.file.Stmts) == 0 {
			return
		}
		var commands [][]string
		syntax.Walk(p.file, func(n syntax.Node) bool {
			if call, ok := n.(*syntax.CallExpr); ok {
				words, err := expand.Fields(&expand.Config{Env: expand.ListEnviron("HOME=/home/x"), GlobStar: true}, call.Args...)
				if err != nil {
					t.Fatal(err)
				}
				commands = append(commands, words)
			}
			return true
		})
		want := commands[0]
		switch p.kind {
		case message:
			if p.text != strings.Join(want[1:], " ")+"\n" {
				t.Errorf("%q: says %q, want %q", text, p.text, want)
			}
		case constant:
			if want[0] != ":" && want[0] != "true" && want[0] != "false" {
				t.Errorf("%q: %q does more", text, want[0])
			}
		case programs:
			if len(p.members) != len(commands) {
				t.Errorf("%q: got %q, want %q", text, p.members, commands)
			}
			for i, m := range p.members {
				alone := c.analyse(m.text, "", false)
				if !slices.Equal(m.argv, commands[i]) || len(alone.members) != 1 || !slices.Equal(alone.members[0].argv, m.argv) {
					t.Errorf("%q: got %q, want %q", text, m, commands[i])
				}
			}
		}
	})
}
