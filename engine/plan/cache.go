package plan

import (
	"context"
	"errors"
	"slices"

	"github.com/weftrun/weft/engine/vars"

	"github.com/weftrun/weft/schema"
)

// Cache are the dependencies of a cached step's result, beside its commands and its sources.
type Cache struct {
	Env  []string    // names of inherited variables
	Key  []CacheText // in order
	Salt string      // results with another one are not found
}

// CacheText is a text that counts, or a command whose output does.
type CacheText struct {
	schema.Text
	Command bool
	// Shared means that the root file defines it for all tasks: the command is run in the root
	// directory, once.
	Shared bool
}

// Cache returns nil if the result of s is not kept. The result belongs to the caller.
func (s *Step) Cache() *Cache {
	w := s.facts.workflow
	if !w.Cached(s.Task) || s.Method() == "none" {
		return nil
	}
	c := &Cache{}
	if all := w.Cache; all != nil {
		c.Env, c.Salt = all.Env, all.Salt
		c.Key = each(all.Key, func(t *schema.CacheText) CacheText { return CacheText{t.Text, t.Command, true} })
	}
	if own := s.Task.Cache; own != nil {
		c.Env = slices.Concat(c.Env, own.Env)
		c.Key = append(c.Key, s.texts().more().cacheKey...)
	}
	return c
}

// Shares reports whether the result of s may be looked up and stored in a shared cache.
func (s *Step) Shares() bool { return s.Task.Cache == nil || s.Task.Cache.Share != schema.False }

// Pushes reports whether the result of s is stored in a shared cache; byDefault is for tasks that
// do not say it.
func (s *Step) Pushes(byDefault bool) bool {
	if own := s.Task.Cache; own != nil && own.Push != schema.Unset {
		byDefault = own.Push == schema.True
	}
	return byDefault && s.Shares()
}

func (b *binder) cacheTexts(c *schema.Cache) []CacheText {
	return each(c.Key, func(t *schema.CacheText) CacheText {
		return CacheText{schema.Text{S: b.text(t.Text), Pos: t.Text.Pos}, t.Command, false}
	})
}

// errOtherFiles is the error of a step whose commands would differ if they were bound now.
var errOtherFiles = errors.New("the files that its commands loop over have changed since the run began")

// sameCommands reports whether two lists show the same commands. A deferred one shows its expansion
// in only one of them.
func sameCommands(a, b []Command) bool {
	return slices.EqualFunc(a, b, func(a, b Command) bool { return a.Defer && b.Defer || a.Shown == b.Shown })
}

// ForCacheKey returns s as its cache key covers it: names replace the values of secret variables,
// and deferred commands are bound as after a success. s must be bound. Only the commands, the
// environment and the Cache of the result may be used.
func (x *Expander) ForCacheKey(ctx context.Context, s *Step) (*Step, error) {
	plain := s.ForFingerprint()
	if !x.o.Workflow.Secrets && len(s.facts.details.deferred) == 0 {
		return plain, nil
	}
	k := &Step{Task: s.Task, Name: s.Name, Label: s.Label, Scope: plain.Scope.WithSecretNames(), facts: s.facts}
	if plain.bound == nil { // no text of the task is a template
		return k, nil
	}
	bound := *plain.bound
	bound.commands, k.bound = nil, &bound
	e := expansion{x: x}
	for i := range s.Task.Cmds {
		err := e.eachItem(ctx, k, &s.Task.Cmds[i], func(scope *vars.Scope, _ int) error {
			b := commandBinder{binder: binder{ctx: ctx, scope: scope}, facts: s.facts}
			bound.commands = append(bound.commands, Command{})
			b.entry(i, &bound.commands[len(bound.commands)-1])
			return b.err
		})
		if err != nil {
			return nil, err
		}
	}
	if !sameCommands(bound.commands, plain.bound.commands) {
		return nil, errOtherFiles
	}
	if s.Task.Cache == nil {
		return k, nil
	}
	b := binder{ctx: ctx, scope: k.Scope}
	running := *bound.more()
	running.cacheKey = b.cacheTexts(s.Task.Cache)
	for i, t := range plain.bound.more().cacheKey {
		if t.Command { // it is run as it is, and its output counts
			running.cacheKey[i] = t
		}
	}
	bound.running = &running
	return k, b.err
}
