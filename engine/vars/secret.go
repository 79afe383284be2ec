package vars

import (
	"context"
	"fmt"
	"slices"

	"github.com/weftrun/weft/schema"
)

// A value is secret if its definition says so, as a variable or in the environment; if the
// command line sets such a variable; or if the process environment overrides such a
// declaration. Options.OnSecret is called as soon as a value is known, so that it is masked
// wherever it is shown.

// Secret reports whether the definition that name refers to is secret.
func (s *Scope) Secret(name string) bool { return s.secret(name, s.end()) }

func (f *frame) secret(name string, from view) bool {
	if _, ok := from.bound.binding(name); ok {
		return false
	}
	pos := f.find(name, from.before)
	if pos < 0 {
		return false
	}
	v, _, _ := f.at(pos)
	return v.Secret
}

// WithSecretNames returns a scope that sees what s sees, in which the name of a secret variable
// replaces its value where a text or the environment refers to it. Values computed from a secret
// are not replaced. Uses of s does not include texts that are expanded in it.
func (s *Scope) WithSecretNames() *Scope {
	in := s.Untracked()
	in.secretNames = true
	return in
}

// nameOf returns the replacement for the value of a secret variable. It does not occur in any
// script or environment otherwise.
func nameOf(secret string) string { return "\x00" + secret + "\x00" }

// ComputeSecrets computes every secret variable that the task sees, even if nothing refers to
// it, so that its value is known before anything of the task is shown. It ignores errors: a
// variable that the task needs fails again when it is used.
func (s *Scope) ComputeSecrets(ctx context.Context) {
	if !s.r.o.Workflow.Secrets || s.r.o.OnSecret == nil {
		return
	}
	w := s.work()
	w.unreferenced = true
	defer func() { w.unreferenced = false }()
	for pos := range w.top {
		if v, _, _ := s.at(pos); v.Secret {
			s.eval(ctx, pos)
		}
	}
	declared := s.r.o.Workflow.Env
	if t := s.call.Task; t != nil {
		declared = slices.Concat(declared, t.Env)
	}
	for i := range declared {
		d := declaration{v: &declared[i]}
		if d.v.Secret && d.v.Kind == schema.Static {
			d.value, _ = s.value(ctx, d.v.Value, view{before: w.top})
		}
		s.reportDeclared(&d)
	}
}

// LiteralSecrets calls f with the secret values that are written in the files, and with those
// that the command line sets for names which are secret for some task.
func LiteralSecrets(w *schema.Workflow, cli schema.Vars, f func(value string)) {
	r := Resolver{o: Options{OnSecret: func(_, value string) { f(value) }}}
	eachSecret(w, func(v *schema.Var) {
		if v.Kind == schema.Static && !hasTemplate(v.Value) {
			r.reportSecret(v.Name, v.Value)
		}
	})
	names := SecretNames(w)
	for _, v := range cli {
		if names[v.Name] {
			r.reportSecret(v.Name, v.Value)
		}
	}
}

// SecretNames returns the names that are secret for some task.
func SecretNames(w *schema.Workflow) map[string]bool {
	names := map[string]bool{}
	eachSecret(w, func(v *schema.Var) { names[v.Name] = true })
	return names
}

// eachSecret calls f with every secret definition of w.
func eachSecret(w *schema.Workflow, f func(*schema.Var)) {
	if !w.Secrets {
		return
	}
	schema.EachVar(w, func(v *schema.Var) {
		if v.Secret {
			f(v)
		}
	})
}

// ReportSecretPart reports a part of the value of a secret variable that is used by itself.
func (s *Scope) ReportSecretPart(name string, part any) { s.reportSecret(name, part) }

// reportDeclared reports the value of an environment variable, if it is secret, and the value
// that overrides it.
func (f *frame) reportDeclared(d *declaration) {
	if !d.v.Secret {
		return
	}
	f.reportSecret(d.v.Name, d.value)
	if value, ok := f.r.osEnv()[d.v.Name]; ok {
		f.reportSecret(d.v.Name, value)
	}
}

// reportSecret reports the value of a secret variable.
func (f *frame) reportSecret(name string, value any) {
	if f.work().unreferenced {
		name = ""
	}
	f.r.reportSecret(name, value)
}

// reportSecret reports a secret value, or for a list or a map all values in it.
func (r *Resolver) reportSecret(name string, value any) {
	if r.o.OnSecret == nil {
		return
	}
	switch v := value.(type) {
	case nil, bool:
		// Masking "true" would also hide unrelated text.
	case []string:
		for _, x := range v {
			r.reportSecret(name, x)
		}
	case []any:
		for _, x := range v {
			r.reportSecret(name, x)
		}
	case map[string]any:
		for _, x := range v {
			r.reportSecret(name, x)
		}
	default:
		r.o.OnSecret(name, fmt.Sprint(v))
	}
}
