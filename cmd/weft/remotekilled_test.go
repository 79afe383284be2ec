//go:build unix

package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// mortalCompanion is a weft-companion that is killed.
type mortalCompanion struct {
	*team
	program string
	runs    int
}

var buildMortal = buildOnce("github.com/weftrun/weft/cmd/weft/testdata/mortal")

func newMortal(k *team) *mortalCompanion {
	k.Helper()
	bin, err := buildMortal()
	if err != nil {
		k.Fatal(err)
	}
	return &mortalCompanion{team: k, program: filepath.Join(bin, "mortal")}
}

// env returns the environment of a run whose second program is killed as ends say, each time that it is
// started; and the file that has those of ends that have not come true.
func (m *mortalCompanion) env(ends ...string) (env []string, file string) {
	m.Helper()
	m.runs++
	file = filepath.Join(m.home, fmt.Sprint("ends", m.runs))
	if err := os.WriteFile(file, []byte(strings.Join(ends, "\n")), 0o600); err != nil {
		m.Fatal(err)
	}
	return []string{"WEFT_COMPANION=" + m.program, "MORTAL_PROGRAM=" + filepath.Join(m.bin, "weft-companion"), "MORTAL_ENDS=" + file}, file
}

// lineOf describes what is at a path; "" means nothing.
func lineOf(path string) (string, error) {
	st, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	switch {
	case st.IsDir():
		return "directory ", nil
	case st.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		return "link " + target, err
	}
	text, err := os.ReadFile(path)
	if st.Mode()&0o100 != 0 {
		return "program " + string(text), err
	}
	return "file " + string(text), err
}

// below describes all that is below the paths in a directory, by their paths, as lineOf does.
func (k *team) below(dir string, paths ...string) map[string]string {
	k.Helper()
	lines := map[string]string{}
	for _, path := range paths {
		err := filepath.WalkDir(filepath.Join(dir, path), func(path string, _ fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil
			}
			if err != nil {
				return err
			}
			name, err := filepath.Rel(dir, path)
			if err == nil {
				lines[name], err = lineOf(path)
			}
			return err
		})
		if err != nil {
			k.Error(err)
		}
	}
	return lines
}

const killedTasks = `
silent: true
tasks:
  one:
    remote: true
    sources: [in]
    generates: ['one/**']
    cmd: mkdir -p one/none; cp in one/a; ln -s a one/link; cp in one/run; chmod 755 one/run
  two: {deps: [one], remote: true, sources: [in, 'one/*'], generates: [two], cmd: cat in one/a >two; echo log}
  three: {deps: [two], remote: true, sources: [two], generates: [three], cmd: cp two three}
  four: {deps: [three], cmd: cp three four}
`

// TestRemoteKilledAtEveryMessage: the second program is killed at a message that it and weft send each
// other, once, or twice, so that there is none any more: the run makes all that it must, leaves nothing that
// is not whole, and tells at most once that the server was not used. WEFT_EVERY_MESSAGE=1 tests all messages
// instead of some.
func TestRemoteKilledAtEveryMessage(t *testing.T) {
	for name, tt := range map[string]struct {
		task, modes string
		first       int      // message at which the program is killed first
		again       []string // those at which the ones are killed that are started again
		found       bool     // the results are there
	}{
		"once":          {task: "four", modes: "--remote=strict", first: 1},
		"found":         {task: "four", modes: "--remote=strict", first: 2, found: true},
		"handed over":   {task: "four", modes: "--remote=strict --remote-download=none", first: 3},
		"twice":         {task: "four", modes: "--remote", first: 4, again: []string{"5"}},
		"twice, top":    {task: "three", modes: "--remote --remote-download=toplevel", first: 5, again: []string{"1"}},
		"twice, handed": {task: "four", modes: "--remote --remote-download=none", first: 6, again: []string{"7"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newFarm(t)
			m := newMortal(k)
			n, stride := tt.first, 6
			if os.Getenv("WEFT_EVERY_MESSAGE") != "" {
				n, stride = 1, 1
			}
			if tt.found {
				k.project("before", killedTasks).run(0, tt.modes+" "+tt.task)
			}
			for ; ; n += stride {
				c := k.project(strconv.Itoa(n), killedTasks)
				in := "1\n"
				if !tt.found {
					in = fmt.Sprintln(name, n)
				}
				if err := os.WriteFile(filepath.Join(c.dir, "in"), []byte(in), 0o644); err != nil {
					t.Fatal(err)
				}
				env, file := m.env(append([]string{strconv.Itoa(n)}, tt.again...)...)
				c.env = append(c.env, env...)
				out := c.run(0, tt.modes+" "+tt.task)
				got := k.below(c.dir, "one", "two", "three", "four")
				for path, line := range map[string]string{"one": "directory ", "one/a": "file " + in, "one/link": "link a", "one/none": "directory ", "one/run": "program " + in, "two": "file " + in + in, "three": "file " + in + in, "four": "file " + in + in} {
					if is, needed := got[path], tt.task == "four" || path == tt.task; is != line && (needed || is != "") {
						t.Errorf("%s: got %q, want %q", path, is, line)
					}
					delete(got, path)
				}
				if told := strings.Count(out, " here\n"); len(got) > 0 || told > len(tt.again) {
					t.Errorf("left: %q; told %d times", got, told)
				}
				c.run(0, "--cache=verify")
				if runtime.GOOS == "linux" && !eventually(func() bool { return len(c.processes("")) == 0 }) {
					t.Errorf("processes %v are left", c.processes(""))
				}
				if t.Failed() {
					t.Fatalf("killed at message %d:\n%s", n, out)
				}
				if left, err := os.ReadFile(file); err != nil {
					t.Fatal(err)
				} else if strings.HasPrefix(string(left), strconv.Itoa(n)) {
					break // there are not so many
				}
			}
			if n < 15 {
				t.Errorf("there were only %d messages", n)
			}
		})
	}
}
