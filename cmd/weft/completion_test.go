package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/weftrun/weft/cmd/weft/report"
)

func TestComplete(t *testing.T) {
	dir := t.TempDir()
	taskfile := "version: '3'\ntasks:\n  build: {desc: Make it, aliases: [b]}\n  'ns:x': {}\n  hidden: {internal: true}\n"
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte(taskfile), 0o644); err != nil {
		t.Fatal(err)
	}
	for words, want := range map[string]string{
		"":                 "build\tMake it\nb\tMake it\nns:x\n:4\n",
		"-s ":              "build\tMake it\nb\tMake it\nns:x\n:4\n",
		"--sort ":          "default\nalphanumeric\nnone\n:4\n",
		"-o ":              "interleaved\ngroup\nprefixed\n:4\n",
		"--output=":        "--output=interleaved\n--output=group\n--output=prefixed\n:4\n",
		"-t ":              "yml\nyaml\n:8\n",
		"--temp-dir ":      ":16\n",
		"build -- ":        ":0\n",
		"--dir /nowhere ":  ":4\n",
		"--concurrency ":   ":4\n",
		"--graph dummy -s": "", // flags: looked at below
	} {
		var b bytes.Buffer
		a := &app{name: "weft", out: report.NewOut(&b), err: report.NewOut(&b)}
		args := strings.Split("__complete -d "+dir+" "+words, " ")
		if _, err := a.opts.parse(args); err != nil {
			t.Fatal(err)
		}
		a.complete()
		got := b.String()
		if want == "" {
			if !strings.Contains(got, "\n--graph\t") || !strings.HasSuffix(got, ":4\n") {
				t.Errorf("flags: %q", got)
			}
			continue
		}
		if got != want {
			t.Errorf("%q: %q, want %q", words, got, want)
		}
	}
}

// The bash script completes in a real bash, colons in names included.
func TestBashCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash here")
	}
	dir := t.TempDir()
	// A stand-in answers the protocol: what is tested is the script.
	stand := "#!/bin/sh\nprintf 'ns:one\\tfirst\\nns:two\\nother\\n:4\\n'\n"
	if err := os.WriteFile(filepath.Join(dir, "weft"), []byte(stand), 0o755); err != nil {
		t.Fatal(err)
	}
	var script bytes.Buffer
	a := &app{name: "weft", out: report.NewOut(&script), err: report.NewOut(&script)}
	a.opts.completion = "bash"
	if code := a.completion(); code != 0 {
		t.Fatal(script.String())
	}
	for line, want := range map[string]string{
		"weft ":      "ns:one ns:two other",
		"weft o":     "other",
		"weft ns:":   "one two",
		"weft ns:tw": "two",
		"weft zzz":   "",
	} {
		cmd := exec.Command(bash, "--norc", "-c", script.String()+"\nCOMP_LINE=$1; COMP_POINT=${#1}; _weft_complete; echo \"${COMPREPLY[*]}\"", "bash", line)
		cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%q: %q (%v), want %q", line, got, err, want)
		}
	}
}

// standIn puts a program into the path that answers the protocol, so that what
// is tested is the script of a shell, and returns the script.
func standIn(t *testing.T, shell string) (dir, script string) {
	t.Helper()
	dir = t.TempDir()
	answer := "#!/bin/sh\nprintf 'ns:one\\tfirst\\nns:two\\nother\\n:4\\n'\n"
	if err := os.WriteFile(filepath.Join(dir, "weft"), []byte(answer), 0o755); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	a := &app{name: "weft", out: report.NewOut(&b), err: report.NewOut(&b)}
	a.opts.completion = shell
	if code := a.completion(); code != 0 {
		t.Fatal(b.String())
	}
	return dir, b.String()
}

// The fish script completes in a real fish.
func TestFishCompletion(t *testing.T) {
	fish, err := exec.LookPath("fish")
	if err != nil {
		t.Skip("there is no fish here")
	}
	dir, script := standIn(t, "fish")
	for line, want := range map[string]string{
		"weft ":   "ns:one\tfirst\nns:two\nother",
		"weft o":  "other",
		"weft zz": "",
	} {
		cmd := exec.Command(fish, "--no-config", "-c", script+"\ncomplete -C $argv[1] | sort", line)
		cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + dir}
		out, err := cmd.CombinedOutput()
		got, wanted := strings.Fields(string(out)), strings.Fields(want)
		slices.Sort(wanted)
		slices.Sort(got)
		if err != nil || !slices.Equal(got, wanted) {
			t.Errorf("%q: %q (%v), want %q", line, out, err, want)
		}
	}
}

// The zsh script hands zsh's own completion what it should, in a real zsh.
func TestZshCompletion(t *testing.T) {
	zsh, err := exec.LookPath("zsh")
	if err != nil {
		t.Skip("there is no zsh here")
	}
	dir, script := standIn(t, "zsh")
	load := "compdef() {}; _describe() { print -rl -- ${(P)2} }\n" + script + "\nwords=(weft ''); CURRENT=2; _weft"
	cmd := exec.Command(zsh, "-fc", load)
	cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + dir}
	out, err := cmd.CombinedOutput()
	const want = "ns\\:one:first\nns\\:two:ns:two\nother:other\n"
	if err != nil || string(out) != want {
		t.Errorf("%q (%v), want %q", out, err, want)
	}
}

// The nushell script completes in a real nushell, and leaves other programs to
// whoever completed them.
func TestNuCompletion(t *testing.T) {
	nu, err := exec.LookPath("nu")
	if err != nil {
		t.Skip("there is no nushell here")
	}
	dir, script := standIn(t, "nu")
	for words, want := range map[string]string{
		"[weft n]":          `[{"value":"ns:one","description":"first"},{"value":"ns:two","description":""}]`,
		"[/nowhere/weft n]": "null",
		"[weft zz]":         "[]",
		"[other x]":         `"others"`,
	} {
		cmd := exec.Command(nu, "-n", "-c", `$env.config.completions.external.completer = {|spans| "others" }`+"\n"+
			script+"\ndo $env.config.completions.external.completer "+words+" | to json -r")
		cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + dir}
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%s: %q (%v), want %q", words, got, err, want)
		}
	}
}

func TestCompletionShells(t *testing.T) {
	for shell, want := range map[string]int{"bash": 0, "zsh": 0, "fish": 0, "powershell": 0, "nu": 0, "nushell": 0, "tcsh": 1} {
		var b bytes.Buffer
		a := &app{name: "task", out: report.NewOut(&b), err: report.NewOut(&b)}
		a.opts.completion = shell
		if code := a.completion(); code != want || strings.Contains(b.String(), "PROGRAM") || b.Len() == 0 {
			t.Errorf("%s: code %d, %q", shell, code, b.String())
		}
	}
}

// hostileTasks are names that mean something else to a shell than to weft. Each is found
// by its first two letters.
var hostileTasks = []string{
	"aa$(touch forged)", "ab`touch forged`", "ac;touch forged", "ad && touch forged", "ae|touch forged #", "af>forged", "ag te st",
	"ah'quote", "ai\"double", "aj\\back", "ak[1]*?{x,y}", "al!hist!1", "am$HOME", "an~x", "ao:b:$(touch forged)", "ap'$(touch forged)'",
	"aq\"$(touch forged)\"", "ar<(touch forged)", "as#comment", "at%1@^", "auäö日本", "av(touch forged)", "aw\\\\\\'", "ax&touch forged", "~y", "$(touch forged)", "ba\u2019curly\u2018",
}

// TestCompletedNames: whatever a task is called, what a shell inserts for it means that
// name: Enter runs weft with it, and nothing else. Each name is begun as a word, and
// within quotes of either kind.
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
				// It offers the names, and tells what it was run with.
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
