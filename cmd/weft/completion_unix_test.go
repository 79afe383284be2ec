//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// hostileTasks are names with a special meaning in a shell. Each is found
// by its first two letters.
var hostileTasks = []string{
	"aa$(touch forged)", "ab`touch forged`", "ac;touch forged", "ad && touch forged", "ae|touch forged #", "af>forged", "ag te st",
	"ah'quote", "ai\"double", "aj\\back", "ak[1]*?{x,y}", "al!hist!1", "am$HOME", "an~x", "ao:b:$(touch forged)", "ap'$(touch forged)'",
	"aq\"$(touch forged)\"", "ar<(touch forged)", "as#comment", "at%1@^", "auäö日本", "av(touch forged)", "aw\\\\\\'", "ax&touch forged", "~y", "$(touch forged)", "ba\u2019curly\u2018",
}

// TestCompletedNames: for any name of a task, the text that a shell inserts means that name: Enter
// runs weft with it, and nothing else. Each name is begun as a word, and within quotes of either
// kind.
func TestCompletedNames(t *testing.T) {
	for shell, c := range map[string]struct {
		args []string
		load string // has the script in "completion" read
	}{
		"bash": {[]string{"--norc", "--noprofile", "-i"}, "PATH=BIN:$PATH; . ./completion"},
		"zsh":  {[]string{"-fi"}, "PATH=BIN:$PATH; autoload -Uz compinit && compinit -D && . ./completion"},
		"fish": {[]string{"--no-config", "-i"}, "set PATH BIN $PATH; source completion"},
	} {
		for kind, quote := range map[string]string{"bare": "", "single": "'", "double": `"`} {
			t.Run(shell+"/"+kind, func(t *testing.T) {
				t.Parallel()
				program, err := exec.LookPath(shell)
				if err != nil {
					t.Skip("not here")
				}
				bin, script := standIn(t, shell)
				dir := t.TempDir()
				// It offers the names, and prints its arguments.
				answer := "#!/bin/sh\nif [ \"$1\" = __complete ]; then cat '" + dir + "/names'; else n=$(ls '" + dir + "/ran' | wc -l); printf '%s\\0' \"$@\" >'" + dir + "/ran/'$n; echo \"ran:\"$n; fi\n"
				for name, text := range map[string]string{
					filepath.Join(bin, "weft"): answer, filepath.Join(dir, "completion"): script,
					filepath.Join(dir, "names"): strings.Join(hostileTasks, "\tmeaning: $(touch forged)\n") + "\n:4\n",
				} {
					if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.Mkdir(filepath.Join(dir, "ran"), 0o755); err != nil {
					t.Fatal(err)
				}
				dialogue := []string{"> " + strings.ReplaceAll(c.load, "BIN", bin) + "; echo loaded:$status\n", "loaded:"}
				var want []string
				for _, name := range hostileTasks {
					if shell == "bash" && quote == `"` && strings.Contains(name, "!") {
						continue // there is no way to write it
					}
					begun := name[:2]
					if name[0] == '$' || name[0] == '~' {
						begun = name[:1]
						if quote == "" || quote == `"` && begun == "$" {
							begun = `\` + begun
						}
					}
					dialogue = append(dialogue, "> weft "+quote+begun+"\t\n", "ran:"+strconv.Itoa(len(want)))
					want = append(want, name)
				}
				seen, _ := converse(t, dir, exec.Command("env", append([]string{"LC_ALL=C.UTF-8", program}, c.args...)...), append(dialogue, "> exit\n"))
				for i, name := range want {
					got, _ := os.ReadFile(filepath.Join(dir, "ran", strconv.Itoa(i)))
					if string(got) != name+"\x00" {
						t.Errorf("%q: run with %q", name, got)
					}
				}
				if _, err := os.Stat(filepath.Join(dir, "forged")); err == nil {
					t.Error("a name was run as a command")
				}
				if t.Failed() {
					t.Log(seen)
				}
			})
		}
	}
}
