package remote

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
)

// Refusal returns the first of [Refusals]; "" if nothing in the file keeps t here.
func Refusal(t *schema.Task) string {
	if all := Refusals(t); len(all) > 0 {
		return all[0]
	}
	return ""
}

// Refusals returns all reasons in the file why t can never be performed elsewhere, whatever its
// variables are, each once: "it has no sources …".
func Refusals(t *schema.Task) []string {
	var all reasons
	all.add(!slices.ContainsFunc(t.Sources, func(g schema.Glob) bool { return !g.Exclude }), "it has no sources, and a worker gets only the files they name")
	all.add(t.Generates == nil, "it has no generates (write [] if it makes no files)")
	all.add(t.Interactive, "it talks to the terminal (interactive)")
	all.add(t.Service() != nil, "it has to live here (service)")
	all.add(t.Watch, "it has to live here (watch)")
	all.add(t.Running != nil && len(t.Running.Ports) > 0, "it has to live here (ports)")
	all.ofProcesses(t.Processes)
	for i := range t.Cmds {
		all.ofCommand(&t.Cmds[i], i+1)
	}
	return all
}

// reasons are why a task cannot be performed elsewhere.
type reasons []string

// add adds a reason if it applies and is new.
//
//go:noinline
func (r *reasons) add(applies bool, why string) {
	if applies && !slices.Contains(*r, why) {
		*r = append(*r, why)
	}
}

// ofCommand adds the reasons that c, and its members, give. n is its number in the task.
func (r *reasons) ofCommand(c *schema.Command, n int) {
	if c.Kind == schema.Call {
		r.add(true, fmt.Sprintf("command %d calls task %q: make that a need", n, c.Text.S))
		return
	}
	if !c.HasOptions() {
		return
	}
	r.add(c.Background, "it has to live here (background)")
	r.ofProcesses(c.Processes)
	for i := range c.Members {
		r.ofCommand(&c.Members[i], n)
	}
}

// ofProcesses adds the reasons that the keys of commands in p give.
func (r *reasons) ofProcesses(p *schema.Processes) {
	if p == nil {
		return
	}
	r.add(p.TTY == schema.True, "it talks to the terminal (tty)")
	r.add(p.HasChannel(), "it has to live here (ipc)")
	r.add(p.Leftover == schema.LeftoverKeep, "it has to live here (leftover: keep)")
	r.add(p.User.S != "", "its commands run as another user (user)")
	r.add(slices.ContainsFunc(slices.Concat(p.Stdout, p.Stderr), func(s schema.Sink) bool { return s.Kind == schema.SinkInherit }), "it writes past weft (inherit)")
	if p.Stdin != nil {
		r.ofStdin(p.Stdin)
	}
}

func (r *reasons) ofStdin(in *schema.Stdin) {
	from := ""
	switch in.Kind {
	case schema.StdinInherit:
		from = "inherit"
	case schema.StdinRoute:
		from = "route"
	case schema.StdinFrom:
		from = fmt.Sprintf("from %q", in.Text.S)
	case schema.StdinOutput:
		from = fmt.Sprintf("output of %q", in.Text.S)
	}
	r.add(from != "", "its stdin is connected here ("+from+")")
}

// refusal returns why b, whose inputs are in, cannot be performed elsewhere; "" if it can. root is the
// root directory.
func refusal(ctx context.Context, b *executor.Bound, in *cache.Inputs, root string) (why string, err error) {
	if b.Streams.Connected() {
		return "another task reads what it writes while it runs", nil
	}
	i := 0
	for _, c := range b.Step.Commands() {
		i++
		if file := unnamed(b, c, in, root); file != "" {
			return "it reads " + file + ", which its sources do not name", nil
		}
		if c.Defer && strings.Contains(c.Text, "EXIT_CODE") {
			return "its defer uses EXIT_CODE, which is known only where the commands run", nil
		}
		if c.Shown != c.Text {
			return secret(b, ""), nil
		}
		if names(in.Act.Commands[i-1], root) {
			return fmt.Sprintf("command %d names %s: write paths relative to dir", i, root), nil
		}
	}
	_, secrets, err := b.Step.Scope.FileEnv(ctx)
	if err != nil {
		return "", err
	}
	if len(secrets) > 0 {
		return secret(b, secrets[0]), nil
	}
	for _, v := range in.Env {
		if names([]byte(v.Value), root) {
			return fmt.Sprintf("env %s names %s: write paths relative to dir", v.Name, root), nil
		}
	}
	if err := in.CheckRemote(); err != nil {
		return err.Error(), nil
	}
	return "", nil
}

// secret returns the reason of a step that uses the secret variable called name; "": one that it
// refers to.
func secret(b *executor.Bound, name string) string {
	for _, u := range b.Step.Scope.Uses() {
		if name == "" && b.Step.Scope.Secret(u.Name) {
			name = u.Name
		}
	}
	return strings.TrimSuffix("it uses the secret variable "+name, " ") + ", and everyone who may read the server could read it"
}

// unnamed returns the file that c, or a member of it, reads as its stdin, if it is not among the
// inputs.
func unnamed(b *executor.Bound, c *plan.Command, in *cache.Inputs, root string) string {
	if c.Stdin != nil && c.Stdin.Kind == plan.StdinFile {
		rel, err := filepath.Rel(root, b.Path(c.Stdin.Text))
		if rel = filepath.ToSlash(rel); err != nil || !slices.ContainsFunc(in.Files, func(f cache.File) bool { return f.Path == rel }) {
			return c.Stdin.Text
		}
	}
	for i := range c.Members {
		if file := unnamed(b, &c.Members[i], in, root); file != "" {
			return file
		}
	}
	return ""
}

// names reports whether a text contains the path of the directory root, or of a file in it.
func names(text []byte, root string) bool {
	if len(root) < 2 {
		return false // every absolute path is in it
	}
	rest := string(text)
	for {
		_, after, found := strings.Cut(rest, root)
		if !found {
			return false
		}
		if after == "" || !strings.ContainsRune("-._", rune(after[0])) && !isWord(after[0]) {
			return true
		}
		rest = after
	}
}

func isWord(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 }
