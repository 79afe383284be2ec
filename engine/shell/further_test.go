//go:build unix

package shell

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/proc"
)

// TestFurther: every program of a script has the further descriptors and the extra
// environment, which replaces that of the shared one, however the script is run.
func TestFurther(t *testing.T) {
	r := newRig(t)
	r.env = append(r.env, "FD=shared")
	r.write("p", "#!/bin/bash\nread -u 7 && [ $(printenv FD) = $FD ] && echo $REPLY-$FD\n", 0o755)
	r.write("bare", "./p\n", 0o755) // has no interpreter line
	for _, test := range []struct{ name, text, want string }{
		{"directly", "./p", "1-7"},
		{"pipeline", "./p | cat", "1-7"},
		{"interpreter", `./p; echo "$FD"; ./p`, "1-7,7,2-7"},
		{"subshell", `(./p); x=$(./p); echo "$x"`, "1-7,2-7"},
		{"background", "./p & wait", "1-7"},
		{"file without interpreter line", "./bare && ./p", "1-7,2-7"},
		{"assignment", "FD=9 ./p; ./p", "1-9,2-7"},
		{"argv", "", "1-7"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := os.CreateTemp(t.TempDir(), "")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for i := range 3 {
				fmt.Fprintln(f, i+1)
			}
			f.Seek(0, 0)
			sc := &Script{Text: test.text, Group: r.table.NewGroup(proc.GroupOptions{Name: test.name}), Descriptors: []proc.Descriptor{{Number: 7, File: f}}, Extra: []string{"FD=7"}}
			defer sc.Group.Close()
			if test.text == "" {
				sc.Argv = []string{"./p"}
			}
			o := r.run(sc)
			if got := strings.ReplaceAll(strings.TrimSpace(o.out), "\n", ","); o.fail != nil || got != test.want {
				t.Errorf("%q, want %q; stderr %s, error %v", got, test.want, o.err, o.fail)
			}
		})
	}
	// Another script of the same environment has none of that.
	if o := r.run(&Script{Text: "bash -c 'read -u 7 || echo $FD' 2>/dev/null"}); o.out != "shared\n" {
		t.Errorf("%q %v", o.out, o.fail)
	}
}
