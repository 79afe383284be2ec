package executor

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/trace"
)

// part is one text that determines a step's work. The step's fingerprint and its cache key are both
// made from all of them, beside its files.
type part struct {
	kind   partKind
	name   string // identifies it within its kind
	value  string
	set    bool // of partInherited: the variable is set
	secret bool // the value may be a secret
}

// partKind is the kind of a part.
type partKind uint8

const (
	partCommand   partKind = iota // a command in its canonical encoding, by its number
	partEnv                       // an environment variable that the files declare
	partKey                       // a value its result depends on, by its number
	partInherited                 // an inherited environment variable its result depends on
	partSalt                      // salt of the cache
	partOutput                    // an output, and its definition
	partInput                     // a digest of the output of a need, which a command reads
)

var partNames = [...]string{
	partCommand: "command", partEnv: "env", partKey: "cache key", partInherited: "cache env", partSalt: "cache salt",
	partOutput: "output", partInput: "input",
}

// field converts p for the fingerprint.
func (p part) field() fingerprint.Field {
	f := fingerprint.Field{Name: partNames[p.kind], Value: p.value, Secret: p.secret}
	if p.name != "" {
		f.Name = partNames[p.kind] + " " + p.name
	}
	if p.kind == partInherited && p.set {
		f.Value = "=" + p.value
	}
	return f
}

// encodings are buffers for commands.
var encodings = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

// eachPart calls f with every part of the step of b, in order. s is that step with the texts to
// use. Parts are valid until f returns.
func (l *fresh) eachPart(ctx context.Context, b *Bound, s *plan.Step, f func(part)) error {
	encoded := encodings.Get().(*[]byte)
	for i, c := range s.Commands() {
		*encoded = c.Encode((*encoded)[:0], false)
		f(part{kind: partCommand, name: strconv.Itoa(i + 1), value: string(*encoded), secret: c.Shown != c.Text})
	}
	encodings.Put(encoded)
	env, err := s.Scope.DeclaredEnv(ctx)
	if err != nil {
		return err
	}
	for _, e := range env {
		if trace.IsVariable(e.Name) {
			continue
		}
		f(part{kind: partEnv, name: e.Name, value: fmt.Sprint(e.Value), secret: true})
	}
	if c := s.Cache(); c != nil {
		if err := eachCachePart(ctx, b, c, f); err != nil {
			return err
		}
	}
	for _, o := range s.Outputs() {
		f(part{kind: partOutput, name: o.Name, value: strings.TrimSpace(o.From + " " + o.As + " " + o.Path)})
	}
	b.Step.EachInput(func(n *plan.Step) {
		digest, problem := b.steps.digest(n)
		err = cmp.Or(err, problem)
		f(part{kind: partInput, name: n.Label, value: digest, secret: true})
	})
	return err
}

// eachCachePart calls f with the parts that c adds.
func eachCachePart(ctx context.Context, b *Bound, c *plan.Cache, f func(part)) error {
	for i, t := range c.Key {
		value := t.S
		if t.Command {
			scope := b.Step.Scope
			if t.Shared {
				scope = scope.Global()
			}
			var err error
			if value, err = scope.Output(ctx, t.Text); err != nil {
				return fmt.Errorf("%v: cache.key: %w", t.Pos, err)
			}
		}
		f(part{kind: partKey, name: strconv.Itoa(i + 1), value: value, secret: true})
	}
	for _, name := range c.Env {
		if trace.IsVariable(name) {
			continue
		}
		value, set := lookupEnv(b.Environ, name)
		f(part{kind: partInherited, name: name, value: value, set: set, secret: true})
	}
	if c.Salt != "" {
		f(part{kind: partSalt, value: c.Salt})
	}
	return nil
}

// lookupEnv returns the value of a variable in environ, in which later entries override earlier
// ones.
func lookupEnv(environ []string, name string) (value string, set bool) {
	for i := len(environ) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(environ[i], name+"="); ok {
			return v, true
		}
	}
	return "", false
}
