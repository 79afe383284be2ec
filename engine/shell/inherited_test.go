package shell

import (
	"strings"
	"testing"
)

// TestInherited: which variables a script takes from its environment.
func TestInherited(t *testing.T) {
	for script, want := range map[string]string{
		`echo hello`:              "",
		`echo $A "${B}" '$C' \$D`: "A B",
		`echo $B $A $B`:           "B A",
		`echo ${A:-x} ${B-x} ${C:=x} ${D:?no} ${#E} ${F%.c} ${G[1]} ${!H}`: "A B C D E F G H",
		`A=1; echo $A`:        "",
		`A=1 make; echo $B`:   "B",
		`echo $A; A=1`:        "",
		`export A; echo $A`:   "A",
		`export A=1; echo $A`: "",
		`readonly A; local B; declare C; echo $A $B $C`: "A",
		`A=$A:x; echo $A`:                              "",
		`for f in $LIST; do echo $f; done`:             "LIST",
		`select f in a b; do echo $f; done`:            "",
		`while read -r a b; do echo $a $b $c; done`:    "c",
		`while getopts ab o; do echo $o $OPTARG; done`: "",
		`printf -v A x; mapfile -t B; echo $A $B`:      "",
		`eval "$X"; echo $Y`:                           "",
		`. ./env.sh; echo $Y`:                          "",
		`command source env.sh; echo $Y`:               "",
		`echo $1 $@ $# $? $$ $! $- $* $0 ${10}`:        "",
		`echo $HOME $PATH $PWD $USER $SHELL $TERM $TMPDIR $LANG $IFS $RANDOM $UID $BASH_VERSION $WEFT_TASK`: "",
		`echo $((A + 1)) $((B = 2)) $((C)); ((D++)); let E=F`:                                               "A C D F",
		`for ((i = 0; i < N; i++)); do echo $i; done`:                                                       "N",
		"cat <<E\n$A\nE\ncat <<'E'\n$B\nE\n":                                                                "A",
		`echo $(echo $A) <(cat $B) "$(cat "$C")"`:                                                           "A B C",
		`f() { echo $A; }; f`:                                                                               "A",
		`[[ $A == "$B" ]] && case $C in $D) ;; esac`:                                                        "A B C D",
		`echo {{.X}} $A "{{if .Y}}$B{{end}}" ${{.Z}} $C{{.X}} $D_{{.Y}}`:                                    "A B C",
		`echo $A {{`:                  "",
		`echo "$A`:                    "",
		`sh -c 'echo $A'`:             "",
		strings.Repeat("$(", 100_000): "",
	} {
		if got := strings.Join(Inherited(script), " "); got != want {
			t.Errorf("%.80s: %q, want %q", script, got, want)
		}
	}
}
