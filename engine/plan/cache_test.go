package plan

import (
	"testing"
)

// TestSameCommands: commands bound again are the same as those that run, except deferred ones.
func TestSameCommands(t *testing.T) {
	echo := func(text string, deferred bool) Command { return Command{Text: text, Shown: text, Defer: deferred} }
	for _, tt := range []struct {
		a, b []Command
		want bool
	}{
		{nil, nil, true},
		{[]Command{echo("a", false)}, []Command{echo("a", false)}, true},
		{[]Command{echo("a", false)}, []Command{echo("b", false)}, false},
		{[]Command{echo("a", false)}, nil, false},
		{[]Command{echo("a", true)}, []Command{echo("{{.A}}", true)}, true},
		{[]Command{echo("a", true)}, []Command{echo("a", false)}, true},
		{[]Command{echo("a", true)}, []Command{echo("b", false)}, false},
	} {
		if got := sameCommands(tt.a, tt.b); got != tt.want {
			t.Errorf("%v, %v: %v", tt.a, tt.b, got)
		}
	}
}
