//go:build amd64 || arm64

package shell

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/proc"
)

// TestSetup: every program of a script is set up, however the script is run, and what the
// script does without a program is not.
func TestSetup(t *testing.T) {
	r := newRig(t)
	r.write("bare", "sh -c 'ulimit -c; ulimit -n'\n", 0o755) // has no interpreter line
	zero := int64(0)
	setup := &proc.Setup{Limits: proc.Limits{Files: 77, Core: &zero}}
	for name, text := range map[string]string{
		"directly": "sh -c 'ulimit -c; ulimit -n'", "pipeline": "sh -c 'ulimit -c; ulimit -n' | cat", "interpreter": `x=$(sh -c 'ulimit -c; ulimit -n'); echo "$x"`,
		"file": "./bare && :", "background": "sh -c 'ulimit -c; ulimit -n' & wait", "argv": "",
	} {
		sc := &Script{Text: text, Group: r.table.NewGroup(proc.GroupOptions{Name: name}), Setup: setup}
		if text == "" {
			sc.Argv = []string{"sh", "-c", "ulimit -c; ulimit -n"}
		}
		if o := r.run(sc); o.fail != nil || o.out != "0\n77\n" {
			t.Errorf("%s: %q; stderr %s, error %v", name, o.out, o.err, o.fail)
		}
		sc.Group.Close()
	}
	if o := r.run(&Script{Text: "sh -c 'ulimit -n'"}); o.out == "77\n" {
		t.Error("another script is limited")
	}
}

// TestSetupFails: a program that cannot be set up ends the script, with what was not
// possible.
func TestSetupFails(t *testing.T) {
	r := newRig(t)
	setup := &proc.Setup{Limits: proc.Limits{Files: 1 << 40}}
	for _, text := range []string{"true && /bin/true || echo on", "/bin/true", "/bin/true | cat"} {
		g := r.table.NewGroup(proc.GroupOptions{})
		o := r.run(&Script{Text: text, Group: g, Setup: setup})
		g.Close()
		var failed *proc.SetupError
		if !errors.As(o.fail, &failed) || failed.Step != "limit open files" || strings.Contains(o.out, "on") {
			t.Errorf("%s: %v, %q, as %d", text, o.fail, o.out, os.Getuid())
		}
	}
}
