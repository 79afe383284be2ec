package shell

import (
	"slices"
	"strings"
	"testing"
)

// TestCheckScript: constructs that only bash runs correctly are found by their meaning, not by
// their text; those that this shell runs correctly are not reported.
func TestCheckScript(t *testing.T) {
	for _, tt := range []struct {
		script string
		want   string // what is found, separated by "; "
	}{
		{`while IFS= read -r -d '' f; do echo "$f"; done < <(find . -print0)`, "read -d"},
		{`read -rn1 key; read -t 5 x; read -u 3 y`, "read -n; read -t; read -u"},
		{`read -r a b; read -ra list; read -rp "name? -d" x; read -s pw; read -p -n x`, ""},
		{`false | true; echo "${PIPESTATUS[0]} ${PIPESTATUS[@]}"`, "${PIPESTATUS}"},
		{`echo 'PIPESTATUS $! set -E' "\${PIPESTATUS[0]}" # ${PIPESTATUS[0]}`, ""},
		{"cat <<'E'\n$! ${PIPESTATUS}\nE", ""},
		{"bash -c 'echo ${PIPESTATUS[0]} $!; set -E; umask'", ""},
		{`declare -A m=([a]=1 [b]=2); echo ${#m[@]}`, "${#m[@]}"},
		{`declare -A m; m[a]=1; for k in "${!m[@]}"; do echo "$k ${m[$k]}"; done; echo ${#m[a]}`, ""},
		{`a=(1 2); echo ${#a[@]} ${#a} ${a[@]}; a+=(3)`, ""},
		{`declare -A m; m+=([b]=2)`, "m+=(…)"},
		{`f() { local -A m; echo "${#m[*]}"; }`, "${#m[*]}"},
		{`sleep 1 & echo $! > pid`, "$!"},
		{`sleep 1 & echo "${!}"`, "$!"},
		{`sleep 1 & wait $!; sleep 1 & kill "$!"; sleep 1 & trap "kill $!" EXIT`, ""},
		{`sleep 1 & pid=$!; kill -0 $pid; [ -n "$pid" ] && wait "$pid"`, ""},
		{`sleep 1 & pid=$!; echo $pid > file`, "$!"},
		{`for i in 1 2; do sleep 1 & pids+=($!); done; for p in "${pids[@]}"; do wait "$p"; done; kill "${pids[@]}"`, ""},
		{`set -E`, "set -E"},
		{`set -Eeuo pipefail`, "set -E"},
		{`set -euo pipefail; set +E; set -B +H; set -- -E; set -o errexit; set a -E`, ""},
		{`set -o errtrace; set -o functrace -e`, "set -o errtrace; set -o functrace"},
		{`declare -i n=1; typeset -u s; local -l t`, "declare -i; typeset -u; local -l"},
		{`declare -rx A=1; declare -a b; export C=-i; readonly d; declare -f f; declare n=-i`, ""},
		{`f() { :; }; export -f f`, "export -f"},
		{`trap 'echo x' INT TERM`, "trap INT"},
		{`trap cleanup EXIT TERM; trap - HUP; trap '' QUIT; trap x 0; trap -p`, "trap TERM; trap HUP; trap QUIT; trap 0; trap -p"},
		{`trap 'rm -f x' EXIT; trap - EXIT; trap 'echo INT' ERR; trap EXIT; trap`, ""},
		{`umask 022; ulimit -n 10; jobs -p`, "umask; ulimit; jobs"},
		{`umask() { :; }; umask 022; printf -- '%s' umask; echo umask`, ""},
		{`exec 3>out; echo x >&3; cat <&3; exec 3>&-`, "3>; >&3; <&3; 3>&"},
		{`cmd 2>&1 >/dev/null 1>&2 2>&- </dev/null >>a &>b`, ""},
		{`exec {fd}>out; echo x >|out; echo y 2>&1`, "{fd}>; >|"},
		{`printf '%q\n' "$x"; printf "%.2f" 1; printf '%(%F)T' -1; printf "%*d" 1 2; printf '%X' 1`, "printf %q; printf %.2f; printf %(%F)T; printf %*d; printf %X"},
		{`printf '%s %d%% %-5s|%05d %+d %x %c %b %i %u %o\n' a 1 b 2 3 4 c d 5 6 7; printf "$format" %q; printf "100%"; printf x`, ""},
		{`printf -v x %s y`, "printf -v"},
		{`coproc cat`, "coproc"},
		{`shopt -s lastpipe; shopt -s globstar nullglob extglob`, "shopt lastpipe"},
		{`wait -n; mapfile -n 1 a; mapfile -t -d '' b; command -V x; command -v y; exec -a z w; unset -n v; cd -P /; cd -- /; cd -`,
			"wait -n; mapfile -n; command -V; exec -a; unset -n; cd -P; cd --"},
		{`echo $SECONDS $OSTYPE $BASHPID $EPOCHSECONDS ${OSTYPE:-linux} $BASH_VERSION $RANDOM $UID`, "${SECONDS}; ${OSTYPE}; ${BASHPID}; ${EPOCHSECONDS}"},
		{`SECONDS=0; echo $SECONDS`, "${SECONDS}"},
		{`OSTYPE=$(uname); echo $OSTYPE; echo $DECLARED`, ""},
		{`x=abc; echo ${x/#a/-} ${x//b/-} ${x#a}`, "${x/#…}"},
		{`[[ -v m[a] ]]; [[ -v x ]]; [ -v x ]`, "-v m[a]"},
		{`[ a \< b ]; [ a = "<b>" ]; [[ a < b ]]; test a '>' b`, `[ \<; test \<`},
		{`set -E |`, ""}, // no shell language: that is told elsewhere
		{`{{if .X}}umask{{else}}true{{end}}; read -{{if .X}}d{{else}}r{{end}} x`, ""},
		{`{{if .X}}umask{{end}}; trap x {{.SIG}} EXIT; read {{.FLAGS}} y; set -{{.O}}; printf "{{.F}}" 1`, "umask"},
		{`{{- range .L}}echo {{.}} ${PIPESTATUS}{{end -}}`, "${PIPESTATUS}"},
		{`echo {{.X`, ""},
	} {
		var got []string
		for _, b := range CheckScript(tt.script, func(name string) bool { return name == "DECLARED" }) {
			got = append(got, b.What)
			if name, _, _ := strings.Cut(b.What, " "); b.inCall && !mayNeedBash(name) {
				t.Errorf("%s: callHandler does not look at %s", tt.script, name)
			}
		}
		if s := strings.Join(got, "; "); s != tt.want {
			t.Errorf("%s\n\tgot  %s\n\twant %s", tt.script, s, tt.want)
		}
	}
	found := CheckScript("echo\n\numask\ntrue", nil)
	if len(found) != 1 || found[0].Line != 3 {
		t.Errorf("the line: %v", found)
	}
	if found := CheckScript("echo $OSTYPE", func(name string) bool { return name == "OSTYPE" }); found != nil {
		t.Errorf("a variable that is declared: %v", found)
	}
}

func TestKnownSet(t *testing.T) {
	for args, want := range map[string]string{
		"set -E":                        "set",
		"set -Eeuo pipefail":            "set -o pipefail -eu",
		"set -eEx":                      "set -ex",
		"set +H -e":                     "set -e",
		"set -o errtrace -o pipefail":   "set -o pipefail",
		"set -o errtrace":               "set",
		"set -E -- -x -E":               "set -- -x -E",
		"set -E a -E":                   "set a -E",
		"set -eu":                       "",
		"set -- -E":                     "",
		"set":                           "",
		"set -Z":                        "",
		"set -o nosuch":                 "",
		"set -EZ":                       "set -Z", // still an error
		"set -e -o pipefail -o hashall": "set -e -o pipefail",
	} {
		known, _ := knownSet(strings.Fields(args))
		if !slices.Equal(known, strings.Fields(want)) {
			t.Errorf("%s: %q, want %s", args, known, want)
		}
	}
}

// FuzzCheckScript: for any script CheckScript returns, with valid positions.
func FuzzCheckScript(f *testing.F) {
	for _, s := range []string{"().", "f() { read -d ''; }", "declare -A a; a+=([x]=1)", "for p in $!; do kill $p; done", "a=($!)", "trap x TERM", "${#a[@]} ${PIPESTATUS[0]}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, found := range CheckScript(text, func(string) bool { return false }) {
			if found.Line < 1 || found.What == "" {
				t.Errorf("%q: %+v", text, found)
			}
		}
	})
}
