//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// hostileTaskfile has a task whose label and command are full of commands for CI systems and
// terminals.
const hostileTaskfile = `version: '3'
tasks:
  two: {deps: [good, bad]}
  good: echo good
  bad:
    label: "x ::error::a ##vso[task.b]c ##teamcity[d e='f'] ##[error]g section_start:1:h\r\e[0Ki \e[31mj \u202ek"
    cmds:
      - |
        : ::error::l
        : ##vso[task.m]n
        cat out; exit 3
`

// ciCommands are weft's own commands to CI systems, at the beginning of a line.
var ciCommands = regexp.MustCompile(`^(::group::|::endgroup::$|::error (file=[^:,]*,line=\d+,col=\d+,)?title=[^:]*::` +
	`|##\[group\]|##\[endgroup\]$|##vso\[task\.logissue type=error[^\]]*\]` +
	`|##teamcity\[blockOpened name='([^'|\[\]]|\|.)*'\]$|##teamcity\[blockClosed name='([^'|\[\]]|\|.)*'\]$|##teamcity\[buildProblem description='([^'|\[\]]|\|.)*' identity='\w+'\]$` +
	`|\x1b\[0Ksection_start:\d+:weft_\w+(\[collapsed=true\])?\r\x1b\[0K|\x1b\[0Ksection_end:\d+:weft_\w+\r\x1b\[0K$)`)

// colors are the control sequences that set colours.
var colors = regexp.MustCompile(`\x1b\[[\d;]*m`)

// TestHostileInCI: in no CI system, in no output style, a name or what a command has written
// becomes a command to the system, or to a terminal, in the lines of weft. The events name the
// system.
func TestHostileInCI(t *testing.T) {
	dir := t.TempDir()
	const written = "::error::written\n##vso[task.o]p\n"
	for name, text := range map[string]string{"Taskfile.yml": hostileTaskfile, "out": written} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	systems := []struct{ name, variable, commands string }{ // and what it takes for a command
		{"github", "GITHUB_ACTIONS=true", `^[ \t]*::|##\[`},
		{"gitlab", "GITLAB_CI=true", `section_\w+:[^\\]*\r`},
		{"azure", "TF_BUILD=True", `##(vso)?\[`},
		{"teamcity", "TEAMCITY_VERSION=2026.1", `##teamcity\[`},
		{"buildkite", "BUILDKITE=true", `^$.`},
		{"jenkins", "JENKINS_URL=https://ci.example/", `^$.`},
		{"other", "CI=true", `^$.`},
	}
	for _, s := range systems {
		system, variable, command := s.name, s.variable, regexp.MustCompile(s.commands)
		for _, args := range [][]string{{"--ci=" + system}, {"-o", "group"}, {"-o", "prefixed"}, {"-o", "keep-order"}, {"-o", "interleaved", "-v"}} {
			cmd := exec.Command("weft", append(args, "--events", "events", "two")...)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), variable)
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != exitTask {
				t.Fatalf("%s, %q: %v\n%s", system, args, err, out)
			}
			if strings.Count(string(out), "\n"+strings.TrimSuffix(written, "\n")+"\n") != 1 {
				t.Errorf("%s, %q: the output is not as it was written, once: %q", system, args, out)
			}
			for line := range strings.Lines(strings.Replace(string(out), "\n"+written, "\n", 1)) {
				line = colors.ReplaceAllString(strings.TrimSuffix(line, "\n"), "")
				rest := line[len(ciCommands.FindString(line)):]
				told := len(rest) < len(line) && !strings.HasPrefix(line, "\x1b") && !strings.HasPrefix(line, "##[group]") // the rest is data
				if strings.ContainsAny(rest, "\r\x1b\u202e") || !told && command.MatchString(rest) {
					t.Errorf("%s, %q: %q is taken for a command", system, args, line)
				}
			}
			events, err := os.ReadFile(filepath.Join(dir, "events"))
			if err != nil || !strings.Contains(string(events), `"ci":"`+system+`"`) {
				t.Errorf("%s, %q: the events do not tell the system: %v", system, args, err)
			}
		}
	}
}
