//go:build unix

package shell

import (
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/proc"
)

// TestBraces makes more words of braces than the interpreter would, as a shell does.
func TestBraces(t *testing.T) {
	r := newRig(t)
	const last = `; l=; n=0; for i in "$@"; do n=$((n+1)); l=$i; done; echo $n $1 $l`
	for script, want := range map[string]string{
		"n=0; for i in {1..20000}; do n=$((n+i)); done; echo $n":                "200010000",
		"n=0; for i in x {20000..1} y; do n=$((n+1)); done; echo $n $i":         "20002 y",
		"n=0; for i in {1..100000..3}; do n=$((n+i)); l=$i; done; echo $n $l":   "1666716667 100000",
		"set -- {00001..30000}" + last:                                          "30000 00001 30000",
		"set -- a{1..200}b{1..200}c" + last:                                     "40000 a1b1c a200b200c",
		"set -- {x,y}-{-10000..9999}\"$1\"" + last:                              "40000 x--10000 y-9999",
		"set -- {-5..19995}" + last + "; set -- {01..20001}" + last:             "20001 -5 19995\n20001 00001 20001",
		"set -- {a,b{1..3}} {1..3}{a,b} {5..1..2} {1..1} \"{1..20000}\"" + last: "15 a {1..20000}",
		"set -- {1..20000}{} \\{1..20000}" + last:                               "20001 1{} {1..20000}",
		"echo $(set -- {1..30000}" + last + ") | cat":                           "30000 1 30000",
		"set -- {1..32769}" + last + "; echo {1..3}{a..c}":                      "32769 1 32769\n1a 1b 1c 2a 2b 2c 3a 3b 3c",
	} {
		o := r.run(&Script{Text: script})
		if o.fail != nil || strings.TrimSuffix(o.out, "\n") != want {
			t.Errorf("%s\n gives %.200q, %v (%s), want %q", script, o.out, o.fail, o.err, want)
		}
	}
	for _, script := range []string{
		"for i in {1..1000001}; do :; done; echo went on", "echo {1..1000}{1..1000}{1..1000}; echo went on",
		"echo " + strings.Repeat("{1..9}", 10000), "eval 'for i in {1..20000}; do :; done'; echo went on",
		"x='echo {1..200}{1..200}'; eval \"$x\"; echo went on",
	} {
		o := r.run(&Script{Text: script, Group: r.table.NewGroup(proc.GroupOptions{Name: "t"})})
		if o.fail == nil || strings.Contains(o.out, "went on") {
			t.Errorf("%.60s: %.60q, %v", script, o.out, o.fail)
		}
	}
}
