package main

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/weftrun/weft/internal/probe"
)

// TestDaemons: a daemon that a command starts as its last act continues after a successful run,
// with a line about it, although it has hardly begun when weft checks. WEFT_DAEMONS is the number
// of tries for each way; 3 by default.
func TestDaemons(t *testing.T) {
	rounds, _ := strconv.Atoi(os.Getenv("WEFT_DAEMONS"))
	if rounds == 0 {
		rounds = 3
	}
	for name, tt := range map[string]struct {
		cmd, keys string
		nohup     bool // weft is run by nohup
		alone     bool // another process of the command is stopped
	}{
		"nohup":                    {cmd: "sh -c 'nohup DAEMON &'"},
		"setsid":                   {cmd: "sh -c 'setsid DAEMON &'"},
		"setsid that forks":        {cmd: "setsid -f DAEMON"},
		"after another":            {cmd: "sh -c 'sleep 1000 >/dev/null 2>&1 & nohup DAEMON &'", alone: true},
		"of the shell":             {cmd: "nohup DAEMON &"},
		"setsid of the shell":      {cmd: "setsid DAEMON &"},
		"of a subshell":            {cmd: "(nohup DAEMON &)"},
		"of a function":            {cmd: "f() { setsid DAEMON & }; f"},
		"of a loop":                {cmd: "for i in 1; do nohup DAEMON & done"},
		"keep":                     {cmd: "sh -c 'DAEMON &'", keys: "leftover: keep"},
		"keep of the shell":        {cmd: "DAEMON &", keys: "leftover: keep"},
		"keep of a daemon":         {cmd: "probe - fork:D,daemon,hold", keys: "leftover: keep"},
		"within nohup":             {cmd: "sh -c 'nohup DAEMON &'", nohup: true},
		"of the shell, in nohup":   {cmd: "nohup DAEMON &", nohup: true},
		"of a script within nohup": {cmd: "sh daemon.sh", nohup: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const daemon = "probe D hold >/dev/null 2>&1"
			for range rounds {
				k := probe.New(t)
				dir := project(t, map[string]string{
					"Taskfile.yml": "tasks:\n  default:\n    " + tt.keys + "\n    cmds:\n    - |\n      " + strings.ReplaceAll(tt.cmd, "DAEMON", daemon) + "\n",
					"daemon.sh":    "nohup " + daemon + " &\n",
				})
				cmd := exec.Command("weft")
				if tt.nohup {
					cmd = exec.Command("nohup", "weft")
				}
				var out bytes.Buffer
				cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append(os.Environ(), k.Env()), &out, &out
				if err := cmd.Run(); err != nil {
					t.Fatalf("%v; %s", err, &out)
				}
				d := k.Accept("D")[0]
				d.Do("write:0")
				if n := strings.Count(out.String(), "keeps running after this run"); n != 1 {
					t.Errorf("it said %s", &out)
				}
				if n := strings.Count(out.String(), "had left"); (n == 1) != tt.alone {
					t.Errorf("it said %s", &out)
				}
				d.Send("exit:0")
				d.AwaitDeath()
			}
		})
	}
}

// TestNoDaemon: if weft was started by nohup, so that every program ignores SIGHUP, that alone
// makes no leftover a daemon.
func TestNoDaemon(t *testing.T) {
	t.Parallel()
	for _, cmd := range []string{"sh -c 'sleep 1000 >/dev/null 2>&1 &'", "sleep 1000 >/dev/null 2>&1 &"} {
		run := exec.Command("nohup", "weft")
		run.Dir = project(t, map[string]string{"Taskfile.yml": "tasks:\n  default:\n  - " + cmd + "\n"})
		out, err := run.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("had left")) {
			t.Errorf("%s: %v, %s", cmd, err, out)
		}
	}
}
