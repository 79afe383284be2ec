package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
		"-o ":              "interleaved\ngroup\nprefixed\nkeep-order\n:4\n",
		"--output=":        "--output=interleaved\n--output=group\n--output=prefixed\n--output=keep-order\n:4\n",
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
	// A substitute implements the protocol: only the script is tested.
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

// standIn puts a program into the path that implements the protocol, so that only the script of a
// shell is tested, and returns the script.
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

// The zsh script passes the right arguments to zsh's own completion, in a real zsh.
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

// The nushell script completes in a real nushell, and leaves other programs to their earlier
// completer.
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
