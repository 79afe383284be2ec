//go:build unix

package shell

import (
	"slices"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/proc"
)

// TestBothWays runs simple commands directly and in the interpreter.
func TestBothWays(t *testing.T) {
	r := newRig(t)
	r.write("tool", "#!/bin/sh\necho tool $0 \"$@\"; pwd; env | grep -c .; exit 9\n", 0o755)
	r.write("noshebang", "echo $0 $1; exit 2\n", 0o755)
	r.write("binary", "a\x00\n", 0o755)
	r.write("plain", "x", 0o644)
	r.env = append(r.env, "PWD=/somewhere", "IFS=x", "OPTIND=4", "DUP=1", "DUP=2", "EMPTY=", "=odd", "noequals")
	direct := 0
	for _, text := range strings.Split(`env
sh -c 'env | sort; pwd; echo $0'
printenv DUP
printenv PWD
./tool a 'b c' "d e" f'g'h"i"
tool
./noshebang x
./binary
./plain
./none
/no/such/thing
nosuch
.
/
./
sh -c 'exit 255'
sh -c 'kill -TERM $$'
cat plain
cat
sh -c 'echo err >&2'
echo plain text
echo 'single  quoted' "double  quoted" un'mi'"xed"
echo a=b c,d e:f %g ^h @i +j
echo ''
echo "" x
ls -d {a,b}
echo {a,b}
echo a\ b
echo ~
echo x~
echo *
echo [p]lain
echo "a\"b"
echo $'a\tb'
echo '$A' "A"
echo -n x
echo - x
echo --
cat 'plain'
'cat' plain
"cat" "plain"
c'a't plain
true
false
:
: a b
true x
false x
test -f plain
printf %s x
-x
=x
a=b
sh -c 'printf "%s\n" "$@"' x 1 '' "2 3"
cat plain | cat
cat plain | wc -c | sed 's/^ *//'
./tool a | wc -l
sh -c 'exit 3' | cat
cat plain | sh -c 'cat; exit 3'
nosuch | cat
cat plain | nosuch
cat plain | ./noshebang x
./noshebang x | cat
./binary | cat
./plain | cat
cat plain | ./plain
sh -c 'kill -TERM $$' | sh -c 'cat; kill -INT $$'
yes | head -n 2
sh -c 'echo err >&2; cat' | cat | sh -c 'cat; echo out'
cat plain | true
echo x | cat
true | cat
cat plain |& cat
cat plain | cat > /dev/null
(cat plain) | cat`, "\n") {
		p := r.s.scripts.parse(text)
		if p.kind != script {
			direct++
		}
		short := r.run(&Script{Text: text})
		long := r.run(&Script{Text: text + "\n:\n" /* the same, with errexit, and no simple command */})
		if !same(text, short.out, long.out) || short.err != long.err || code(short.fail) != code(long.fail) {
			t.Errorf("%s (kind %d)\ndirect      %q %q %v\ninterpreted %q %q %v", text, p.kind, short.out, short.err, short.fail, long.out, long.err, long.fail)
		}
	}
	if direct < 50 {
		t.Errorf("only %d were direct", direct)
	}
}

// same compares outputs; an environment's order means nothing.
func same(text, a, b string) bool {
	if text == "env" {
		return len(a) == len(b) && sortLines(a) == sortLines(b)
	}
	return a == b
}

func sortLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		for j := i; j > 0 && lines[j] < lines[j-1]; j-- {
			lines[j], lines[j-1] = lines[j-1], lines[j]
		}
	}
	return strings.Join(lines, "\n")
}

// TestBefore: what is to happen before a program is started or a script is interpreted happens then,
// and not for what needs neither.
func TestBefore(t *testing.T) {
	r := newRig(t)
	var calls []string
	table := proc.NewTable(proc.Options{BeforeFirst: func() { calls = append(calls, "program") }})
	t.Cleanup(func() { table.Close(false) })
	r.g = table.NewGroup(proc.GroupOptions{Name: "t"})
	r.s = New(Options{BeforeScript: func() { calls = append(calls, "script") }})
	for _, tt := range []struct {
		text string
		want []string
	}{
		{":", nil},
		{"echo a", nil},
		{"x=1; echo $x", []string{"script"}},
		{"env", []string{"program"}}, // the first one
		{"env", nil},
		{"env | cat", nil},
		{"if true; then env; fi", []string{"script"}},
	} {
		calls = nil
		if got := r.run(&Script{Text: tt.text}); got.fail != nil {
			t.Errorf("%s: %v", tt.text, got.fail)
		}
		if !slices.Equal(calls, tt.want) {
			t.Errorf("%s: before it %q, want %q", tt.text, calls, tt.want)
		}
	}
}
