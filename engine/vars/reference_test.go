package vars_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

var update = flag.Bool("update", false, "record what the reference says")

// TestReference runs the task "default" of every archive of testdata/reference
// with the scopes of this package and compares the output with the archive's
// file "want": the reference's standard output, or its error. The directory is
// shown as ROOT. Lines of the archive's comment are NAME=value arguments, "--
// ARGS", or "env NAME=value". With WEFT_REFERENCE naming the reference's binary,
// the recorded output is compared with that of the binary, or with -update replaced.
func TestReference(t *testing.T) {
	bin := os.Getenv("WEFT_REFERENCE")
	paths, err := filepath.Glob("testdata/reference/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			c := unpack(t, a)
			if bin != "" && *update {
				c.record(t, path, a, c.reference(bin))
			}
			if got := c.run(t); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if bin != "" {
				if got := c.reference(bin); got != c.want {
					t.Errorf("the reference says\n%s\nrecorded is\n%s", got, c.want)
				}
			}
		})
	}
}

// refCase is one archive, unpacked.
type refCase struct {
	dir, want string
	args      []string // NAME=value
	cliArgs   []string // after --
	environ   []string
}

func unpack(t *testing.T, a *txtar.Archive) *refCase {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := &refCase{dir: dir, environ: []string{"PATH=" + os.Getenv("PATH"), "HOME=/home/me", "OSVAR=from the process"}}
	for line := range strings.Lines(string(a.Comment)) {
		line = strings.TrimSpace(line)
		if kv, ok := strings.CutPrefix(line, "env "); ok {
			c.environ = append(c.environ, kv)
		} else if rest, ok := strings.CutPrefix(line, "-- "); ok {
			c.cliArgs = strings.Fields(rest)
		} else if line != "" && line[0] != '#' {
			c.args = append(c.args, line)
		}
	}
	for _, f := range a.Files {
		if f.Name == "want" {
			c.want = strings.TrimSpace(string(f.Data))
			continue
		}
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// record makes want the archive's expected output.
func (c *refCase) record(t *testing.T, path string, a *txtar.Archive, want string) {
	t.Helper()
	c.want = want
	files := a.Files[:0]
	for _, f := range a.Files {
		if f.Name != "want" {
			files = append(files, f)
		}
	}
	a.Files = append(files, txtar.File{Name: "want", Data: []byte(want + "\n")})
	if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (c *refCase) workflow(t testing.TB) *schema.Workflow {
	t.Helper()
	w, list := schema.Load(context.Background(), schema.LoadOptions{Dir: c.dir, Environ: c.environ, Expand: vars.Expand})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return w
}

func (c *refCase) resolver(t testing.TB) (*vars.Resolver, *schema.Workflow) {
	t.Helper()
	w := c.workflow(t)
	o := vars.Options{Workflow: w, Environ: c.environ, CLIArgs: c.cliArgs, Exe: "task", UserDir: c.dir, Shell: sh{}}
	for _, a := range c.args {
		name, value, _ := strings.Cut(a, "=")
		o.CLI = append(o.CLI, schema.Var{Name: name, Value: value})
	}
	for _, kv := range c.environ {
		o.EnvPrecedence = o.EnvPrecedence || kv == "TASK_X_ENV_PRECEDENCE=1"
	}
	return vars.New(o), w
}

// run returns the output of the task's commands, or the error.
func (c *refCase) run(t *testing.T) string {
	r, w := c.resolver(t)
	out, err := "", r.LoadDotenv(context.Background())
	if err == nil {
		out, err = runTask(r, w, "default", nil)
	}
	if err != nil {
		return c.tidy(err.Error())
	}
	return c.tidy(out)
}

// runTask binds all commands of a task, then runs them.
func runTask(r *vars.Resolver, w *schema.Workflow, name string, args schema.Vars) (string, error) {
	ctx := context.Background()
	t, match, err := w.Lookup(name)
	if err != nil {
		return "", err
	}
	s := r.Scope(vars.Call{Task: t, Name: name, Alias: name, Match: match, Vars: args}, vars.Full)
	dir, err := s.Dir(ctx)
	if err != nil {
		return "", err
	}
	environ, err := s.Environ(ctx)
	if err != nil {
		return "", err
	}
	type bound struct {
		text string
		call bool
		args schema.Vars
	}
	var list []bound
	for i := range t.Cmds {
		cmd := &t.Cmds[i]
		items := []any{nil}
		if cmd.For != nil {
			items = cmd.For.List
		}
		for _, item := range items {
			s := s
			if cmd.For != nil {
				s = s.With(vars.Binding{Name: "ITEM", Value: item})
			}
			b := bound{call: cmd.Kind == schema.Call}
			if b.text, err = s.Expand(ctx, cmd.Text); err != nil {
				return "", err
			}
			if b.args, err = s.BindCall(ctx, cmd.Vars); err != nil {
				return "", err
			}
			list = append(list, b)
		}
	}
	var all strings.Builder
	for _, b := range list {
		var out string
		if b.call {
			out, err = runTask(r, w, b.text, b.args)
		} else {
			out, err = sh{}.Output(ctx, b.text, dir, environ)
		}
		all.WriteString(out)
		if err != nil {
			return all.String(), err
		}
	}
	return all.String(), nil
}

// reference returns the reference's output, or its error.
func (c *refCase) reference(bin string) string {
	args := append([]string{"--silent", "default"}, c.args...)
	if c.cliArgs != nil {
		args = append(append(args, "--"), c.cliArgs...)
	}
	cmd := exec.Command(bin, args...)
	cmd.Args[0] = "task"
	cmd.Dir, cmd.Env = c.dir, append([]string{"NO_COLOR=1"}, c.environ...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return strings.TrimPrefix(c.tidy(stderr.String()), "task: ")
	}
	return c.tidy(string(out))
}

func (c *refCase) tidy(s string) string {
	return strings.TrimSpace(strings.ReplaceAll(s, c.dir, "ROOT"))
}

// sh runs dynamic variables with the system's shell.
type sh struct{}

func (sh) Output(ctx context.Context, text, dir string, env []string) (string, error) {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", text)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.Output()
	return string(out), err
}
