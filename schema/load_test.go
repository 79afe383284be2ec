package schema

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/weftrun/weft/schema/diag"
)

// files writes a txtar archive into a new directory and changes to it.
func files(t *testing.T, archive string) (dir string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := txtar.Write(txtar.Parse([]byte(archive)), dir); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	return dir
}

func load(o LoadOptions) (*Workflow, diag.List) {
	if o.Environ == nil {
		o.Environ = []string{"HOME=/home/me", "SUB=sub"}
	}
	o.Expand = func(_ context.Context, text string, data map[string]any) (string, error) {
		for k, v := range data {
			text = strings.ReplaceAll(text, "{{."+k+"}}", fmt.Sprint(v))
		}
		return text, nil
	}
	return Load(context.Background(), o)
}

// tasks lists what w has, one task a line.
func tasks(w *Workflow, dir string) string {
	var b strings.Builder
	for _, t := range w.Tasks {
		b.WriteString(t.Name)
		if len(t.Aliases) > 0 {
			fmt.Fprintf(&b, " aliases=%s", strings.Join(t.Aliases, ","))
		}
		for _, cs := range [][]Command{t.Deps, t.Cmds} {
			for _, c := range cs {
				if c.Kind == Call {
					fmt.Fprintf(&b, " >%s", c.Text.S)
				}
			}
		}
		if t.Dir.S != "" {
			fmt.Fprintf(&b, " dir=%s", strings.ReplaceAll(t.Dir.S, dir, "D"))
		}
		if t.Internal {
			b.WriteString(" internal")
		}
		if t.Silent != Unset {
			fmt.Fprintf(&b, " silent=%v", t.Silent == True)
		}
		if t.Include != nil {
			for _, vs := range []Vars{t.Include.Vars, t.Include.FileVars} {
				if len(vs) > 0 {
					fmt.Fprintf(&b, " [%s]", strings.ReplaceAll(values(vs), dir, "D"))
				}
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func values(vs Vars) string {
	var out []string
	for _, v := range vs {
		s := v.Name + "=" + v.Text
		if v.Kind == Static {
			s += fmt.Sprint(v.Value)
		}
		if v.Dir != "" {
			s += "@" + v.Dir
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// TestIncludes records how the reference treats includes.
func TestIncludes(t *testing.T) {
	for _, tt := range []struct {
		name, files, want, vars string
	}{
		{name: "names, references and aliases", files: `
-- Taskfile.yml --
version: 3
includes:
  a: {taskfile: a.yml, aliases: [al]}
tasks: {t: echo}
-- a.yml --
version: 3
includes:
  b: {taskfile: b.yml, aliases: [bl]}
tasks: {t: echo}
-- b.yml --
version: 3
tasks:
  t: {aliases: [q], deps: [u, {for: [1], task: u}], cmds: [{task: ':t'}, {task: '::t'}, {defer: {task: ':t'}}, {task: '{{.X}}'}]}
  default: {aliases: [dd]}
  ":odd": x
`, want: `t
a:t aliases=al:t dir=D
a:b:t aliases=a:b:q,a:bl:t,a:bl:q,al:b:t,al:b:q,al:bl:t,al:bl:q >a:b:u >a:b:u >a:t >t >a:t >a:b:{{.X}} dir=D
a:b:default aliases=a:b:dd,a:bl:default,a:bl:dd,a:b,a:bl,al:b:default,al:b:dd,al:bl:default,al:bl:dd,al:b,al:bl dir=D
a:odd aliases=a:odd,al:odd,al:odd dir=D
`},
		{name: "no default shortcut beside a task of that name", files: `
-- Taskfile.yml --
version: 3
includes: {b: {taskfile: b.yml, aliases: [c]}, s: b.yml}
tasks: {b: echo}
-- b.yml --
version: 3
tasks: {default: echo}
`, want: `b
b:default aliases=c:default dir=D
s:default aliases=s
`},
		{name: "flatten, internal, silent, excludes", files: `
-- Taskfile.yml --
version: 3
includes:
  f: {taskfile: f.yml, flatten: true, aliases: [foo]}
  i: {taskfile: i, internal: true, excludes: [x, 'd:*', 'z*', ':*']}
tasks: {z: echo}
-- f.yml --
version: 3
silent: true
tasks: {default: {deps: [':z', z]}, loud: {silent: false}}
-- i/Taskfile.dist.yaml --
version: 3
includes: {d: ../d.yml}
tasks: {x: echo, d: echo, zz: echo}
-- d.yml --
version: 3
tasks: {a: echo}
`, want: `z
default >:z >z dir=D silent=true
loud dir=D silent=false
i:d dir=D internal
i:zz dir=D internal
`},
		{name: "directories", files: `
-- Taskfile.yml --
version: 3
includes:
  a: {taskfile: '{{.SUB}}/b.yml', dir: vv}
  b: {taskfile: $SUB/b.yml}
  c: ./${SUB}/b.yml
  d: {taskfile: sub/b.yml, dir: ~/x}
-- sub/b.yml --
version: 3
includes: {n: {taskfile: c.yml, dir: deep}, s: c.yml}
tasks: {x: {dir: p/../q}, r: {dir: '{{.ROOT_DIR}}/r'}, t: {dir: '{{.T}}'}, abs: {dir: /abs}}
-- sub/c.yml --
version: 3
tasks: {y: {dir: z}}
`, want: `a:x dir=D/vv/q
a:r dir={{.ROOT_DIR}}/r
a:t dir=D/vv/{{.T}}
a:abs dir=/abs
a:n:y dir=D/sub/deep/z
a:s:y dir=D/vv/z
b:x dir=D/q
b:r dir={{.ROOT_DIR}}/r
b:t dir=D/{{.T}}
b:abs dir=/abs
b:n:y dir=D/sub/deep/z
b:s:y dir=D/z
c:x dir=p/../q
c:r dir={{.ROOT_DIR}}/r
c:t dir={{.T}}
c:abs dir=/abs
c:n:y dir=D/sub/deep/z
c:s:y dir=z
d:x dir=/home/me/x/q
d:r dir={{.ROOT_DIR}}/r
d:t dir=/home/me/x/{{.T}}
d:abs dir=/abs
d:n:y dir=D/sub/deep/z
d:s:y dir=/home/me/x/z
`},
		{name: "variables of nested includes", files: `
-- Taskfile.yml --
version: 3
vars: {G: root, R: root}
includes:
  b: {taskfile: b.yml, vars: {IV: rootb}, dir: bdir}
-- b.yml --
version: 3
vars: {G: b, S: {sh: pwd}}
includes:
  c: {taskfile: c.yml, vars: {IV: bc, IV2: bc}, dir: cdir}
  s: c.yml
tasks: {x: echo}
-- c.yml --
version: 3
vars: {G: c, C: c}
tasks: {x: echo}
`, want: `b:x dir=D/bdir [IV=rootb] [G=c@D/bdir R=root S=pwd@D/bdir C=c@D/bdir]
b:c:x dir=D/cdir [IV=rootb IV2=bc] [G=c@D/bdir R=root S=pwd@D/bdir C=c@D/bdir]
b:s:x dir=D/bdir [IV=rootb] [G=c@D/bdir R=root S=pwd@D/bdir C=c@D/bdir]
`, vars: "G=c@D/bdir R=root S=pwd@D/bdir C=c@D/bdir"},
		{name: "a file below two others comes before them", files: `
-- Taskfile.yml --
version: 3
vars: {X: root}
includes: {c: {taskfile: c.yml}, d: {taskfile: d.yml}}
-- c.yml --
version: 3
vars: {X: c}
includes: {d: d.yml}
-- d.yml --
version: 3
vars: {H: 1}
tasks: {x: echo}
`, want: `d:x dir=D [X=root H=1@D]
c:d:x dir=D [X=c@D H=1@D]
`, vars: "X=c@D H=1@D"},
		{name: "optional and missing, only dir", files: `
-- Taskfile.yml --
version: 3
includes: {a: {taskfile: none.yml, optional: true}, b: {taskfile: none, optional: true}, o: other.yml}
tasks: {x: echo}
-- other.yml --
version: '3.0'
includes: {up: {dir: sub, optional: true, taskfile: ./sub}}
tasks: {y: echo}
-- sub/taskfile.yaml --
version: v3
tasks: {z: echo}
`, want: "x\no:y\no:up:z dir=D/sub\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := files(t, tt.files)
			w, list := load(LoadOptions{})
			if w == nil {
				t.Fatal(list.Err())
			}
			if got := tasks(w, dir); got != tt.want {
				t.Errorf("tasks:\n%s\nwant:\n%s", got, tt.want)
			}
			if got := strings.ReplaceAll(values(w.Vars), dir, "D"); got != tt.vars {
				t.Errorf("vars: %s, want %s", got, tt.vars)
			}
			if all := list.All(); len(all) > 0 {
				t.Errorf("unexpected: %v", all)
			}
		})
	}
}

func TestLoadErrors(t *testing.T) {
	const long = "-- Taskfile.yml --\nversion: 3\n"
	for _, tt := range []struct {
		name, files string
		o           LoadOptions
		kind        diag.Kind
		want        string
	}{
		{"nothing", "-- x --\n", LoadOptions{}, diag.NotFound, "No Taskfile found at \"\" (or any of the parent directories). Run `task --init` to create a new Taskfile."},
		{"no such file", "-- x --\n", LoadOptions{Entrypoint: "foo.yml"}, diag.NotFound, "No Taskfile found at \"foo.yml\" Run `task --init` to create a new Taskfile."},
		{"empty directory", "-- sub/x --\n", LoadOptions{Entrypoint: "sub"}, diag.NotFound, "No Taskfile found at \"sub\" Run `task --init` to create a new Taskfile."},
		{"directory", "-- Taskfile.yml/x --\n", LoadOptions{}, diag.Other, "Taskfile.yml: read D/Taskfile.yml: is a directory; a Taskfile must be a file; rename or remove the directory"},
		{"remote", "-- x --\n", LoadOptions{Entrypoint: "https://a.b/c.yml"}, diag.FetchFailed, `remote Taskfiles are not supported here: "https://a.b/c.yml"; put a copy next to your Taskfile and include that`},
		{"empty", "-- Taskfile.yml --\n", LoadOptions{}, diag.Version, `Taskfile.yml:1:1: Missing schema version in Taskfile "D/Taskfile.yml"; begin the file with version: '3'`},
		{"no version", "-- Taskfile.yml --\ntasks: {a: x}\n", LoadOptions{}, diag.Version, `Taskfile.yml:1:1: Missing schema version in Taskfile "D/Taskfile.yml"; begin the file with version: '3'`},
		{"old", "-- Taskfile.yml --\nversion: 2\n", LoadOptions{}, diag.Version, "Taskfile.yml:1:10: Invalid schema version in Taskfile \"D/Taskfile.yml\":\nSchema version (2.0.0) no longer supported. Please use v3 or above; write version: '3'"},
		{"new", "-- Taskfile.yml --\nversion: 3.99\n", LoadOptions{}, diag.Version, "Taskfile.yml:1:10: Invalid schema version in Taskfile \"D/Taskfile.yml\":\nSchema version (3.99.0) is greater than the current version of Task (3.54.0)"},
		{"no number", "-- Taskfile.yml --\nversion: abc\n", LoadOptions{}, diag.Decode, `Taskfile.yml:1:10: version: "abc" is not a version; write version: '3'`},
		{"a text", "-- Taskfile.yml --\nfoo\n", LoadOptions{}, diag.Decode, `Taskfile.yml:1:1: expected a map with version and tasks, found the text "foo"; begin the file with version: '3' and tasks:`},
		{"not yaml", long + "tasks:\n  a: [\n", LoadOptions{}, diag.Syntax, `Taskfile.yml:3:3: not valid YAML: did not find expected node content`},
		{"cycle", long + "includes: {a: b.yml}\n-- b.yml --\nversion: 3\nincludes: {a: Taskfile.yml}\n", LoadOptions{}, diag.IncludeCycle,
			"b.yml:2:12: include cycle detected between D/Taskfile.yml <--> D/b.yml; remove one of the includes"},
		{"itself", long + "includes: {a: {dir: x}}\n", LoadOptions{}, diag.IncludeCycle,
			"Taskfile.yml:2:12: include cycle detected between D/Taskfile.yml <--> D/Taskfile.yml; remove one of the includes"},
		{"other version", long + "includes: {a: b.yml}\n-- b.yml --\nversion: 3.1\n", LoadOptions{}, diag.Other,
			`Taskfile.yml:2:12: Taskfiles versions should match. First is "3.0.0" but second is "3.1.0"; write the same version in both files`},
		{"dotenv", long + "includes: {a: b.yml}\n-- b.yml --\nversion: 3\ndotenv: [x]\n", LoadOptions{}, diag.Other,
			"b.yml:2:9: Included Taskfiles can't have dotenv declarations. Please, move the dotenv declaration to the main Taskfile; or give each task its own dotenv"},
		{"missing include", long + "includes: {a: b.yml}\n", LoadOptions{}, diag.NotFound,
			`Taskfile.yml:2:12: No Taskfile found at "D/b.yml"; create it, or write optional: true if it may be missing`},
		{"missing in optional", long + "includes: {a: {taskfile: b.yml, optional: true}}\n-- b.yml --\nversion: 3\nincludes: {c: c.yml}\n", LoadOptions{}, diag.NotFound,
			`b.yml:2:12: No Taskfile found at "D/c.yml"; create it, or write optional: true if it may be missing`},
		{"remote include", long + "includes: {a: 'git@github.com:a/b.git//T.yml'}\n", LoadOptions{}, diag.FetchFailed,
			`Taskfile.yml:2:12: remote Taskfiles are not supported here: "ssh://git@github.com/a/b.git//T.yml"; put a copy next to your Taskfile and include that`},
		{"checksum", long + "includes: {a: {taskfile: b.yml, checksum: abc}}\n-- b.yml --\nversion: 3\n", LoadOptions{}, diag.ChecksumMismatch,
			"Taskfile.yml:2:43: The checksum of the Taskfile at \"D/b.yml\" does not match!\ngot: \"7b02700a93eb8af7192724bd1b5ff49fd340f0ef81cfee1fb0d8cdc1467fea8c\"\nwant: \"abc\"; check what has changed, then update the checksum"},
		{"flatten clash", long + "includes: {a: {taskfile: b.yml, flatten: true}}\ntasks: {x: echo}\n-- b.yml --\nversion: 3\ntasks: {x: y}\n", LoadOptions{}, diag.Conflict,
			`Taskfile.yml:2:12: Found multiple tasks (x) included by "a""; another one is at Taskfile.yml:3:9; rename one of them, or exclude one with excludes`},
		{"variables in a path", long + "vars: {V: vv, S: {sh: echo}}\nincludes: {a: '{{.V}}/{{.S}}'}\n", LoadOptions{}, diag.NotFound,
			`Taskfile.yml:3:12: No Taskfile found at "D/vv/{{.S}}"; create it, or write optional: true if it may be missing`},
		{"command in a path", long + "includes: {a: $(echo b.yml)}\n", LoadOptions{}, diag.Other, "Taskfile.yml:2:12: unexpected command substitution at 1:1; in the path of include \"a\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := files(t, tt.files)
			w, list := load(tt.o)
			all := list.All()
			if w != nil || len(all) == 0 {
				t.Fatal("loaded without an error")
			}
			if got := strings.ReplaceAll(all[0].Error(), dir, "D"); got != tt.want || all[0].Kind != tt.kind {
				t.Errorf("kind %d: %s\nwant kind %d: %s", all[0].Kind, got, tt.kind, tt.want)
			}
		})
	}
}

func TestLoadFinds(t *testing.T) {
	dir := files(t, `
-- Taskfile.yaml --
version: 3
tasks: {yaml: x}
-- Taskfile.dist.yml --
version: 3
tasks: {dist: x}
-- sub/deep/x --
-- sub/my.yml --
version: 3
tasks: {my: x}
includes: {b: b.yml}
-- sub/b.yml --
version: 3
tasks: {x: x}
`)
	for _, tt := range []struct {
		o          LoadOptions
		root, want string
	}{
		{LoadOptions{}, "", "yaml\n"},
		{LoadOptions{Dir: "sub/deep"}, "", "yaml\n"},
		{LoadOptions{Entrypoint: "sub/my.yml"}, "/sub", "my\nb:x\n"},
		{LoadOptions{Entrypoint: "sub/my.yml", Dir: "sub/deep"}, "/sub/deep", "my\nb:x\n"},
		{LoadOptions{Entrypoint: "-", Dir: "sub", Stdin: strings.NewReader("version: 3\nincludes: {b: b.yml}")}, "/sub", "b:x\n"},
		{LoadOptions{Entrypoint: "-", Stdin: strings.NewReader("version: 3\ntasks: {i: x}")}, "", "i\n"},
	} {
		w, list := load(tt.o)
		if w == nil {
			t.Errorf("%+v: %v", tt.o, list.Err())
			continue
		}
		if got := tasks(w, dir); got != tt.want || w.Dir != dir+tt.root {
			t.Errorf("%+v: root %s, tasks %q; want root %s, tasks %q", tt.o, w.Dir, got, dir+tt.root, tt.want)
		}
	}
}

func TestLoadUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root reads everything")
	}
	dir := files(t, "-- Taskfile.yml --\nversion: 3\n")
	if err := os.Chmod(filepath.Join(dir, "Taskfile.yml"), 0); err != nil {
		t.Fatal(err)
	}
	_, list := load(LoadOptions{})
	if err := list.Err(); err == nil || !strings.Contains(err.Error(), "permission denied; make it readable") {
		t.Errorf("got %v", err)
	}
}

func TestIncludesMultiply(t *testing.T) {
	var b strings.Builder
	b.WriteString("-- Taskfile.yml --\nversion: 3\nincludes: {a: f0.yml, b: f0.yml}\n")
	for i := range 30 {
		fmt.Fprintf(&b, "-- f%d.yml --\nversion: 3\nincludes: {a: f%d.yml, b: f%d.yml}\ntasks: {t: x}\n", i, i+1, i+1)
	}
	b.WriteString("-- f30.yml --\nversion: 3\n")
	files(t, b.String())
	_, list := load(LoadOptions{})
	if err := list.Err(); err == nil || !strings.Contains(err.Error(), "add up to more than") {
		t.Errorf("got %v", err)
	}
}
