package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/weftrun/weft/cmd/weft/report"
)

// TestSettings sets the same option in several places and checks their precedence.
func TestSettings(t *testing.T) {
	outer := t.TempDir()
	inner := filepath.Join(outer, "p")
	config := filepath.Join(outer, "config")
	for name, text := range map[string]string{
		filepath.Join(outer, ".taskrc.yaml"):          "verbose: true\nconcurrency: 7\nunknown: 1\n",
		filepath.Join(inner, ".taskrc.yml"):           "concurrency: 3\nexperiments: {GENTLE_FORCE: 1}\n",
		filepath.Join(inner, ".taskrc.yaml"):          "concurrency: 4\n", // this name has precedence
		filepath.Join(inner, "broken", ".taskrc.yml"): "silent: [\n",
		filepath.Join(inner, "odd", ".taskrc.yml"):    "silent: true\ncolor: 7\n",
		filepath.Join(config, "task", "taskrc.yml"):   "verbose: false\nfailfast: true\ntemp-dir: elsewhere\n",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := func(environ []string, args ...string) *options {
		a := &app{name: "weft", environ: environ, out: report.NewOut(&discard{}), err: report.NewOut(&discard{})}
		flags, err := a.opts.parse(args)
		if err != nil {
			t.Fatal(err)
		}
		a.settings(flags)
		return &a.opts
	}
	xdg := "XDG_CONFIG_HOME=" + config
	if o := run([]string{xdg}, "-d", inner); o.concurrency != 3 || !o.verbose || !o.failfast || o.tempDir != "elsewhere" || !o.gentleForce || o.envFirst {
		t.Errorf("files: %+v", o)
	}
	if o := run([]string{xdg, "TASK_CONCURRENCY=5", "TASK_VERBOSE=false", "TASK_FAILFAST=banana"}, "-d", inner); o.concurrency != 5 || o.verbose || !o.failfast {
		t.Errorf("environment over files: %+v", o)
	}
	if o := run([]string{"TASK_CONCURRENCY=5", "TASK_OUTPUT=group"}, "-d", inner, "-C", "2", "-o", "prefixed"); o.concurrency != 2 || o.output != "prefixed" {
		t.Errorf("flags over environment: %+v", o)
	}
	if o := run(nil, "-t", filepath.Join(inner, "Taskfile.yml")); o.concurrency != 3 {
		t.Errorf("beside the Taskfile: %+v", o)
	}
	for _, dir := range []string{"broken", "odd"} {
		if o := run(nil, "-d", filepath.Join(inner, dir)); o.silent || o.concurrency != 3 {
			t.Errorf("%s: %+v", dir, o)
		}
	}
}

type discard struct{}

func (*discard) Write(p []byte) (int, error) { return len(p), nil }

func TestColored(t *testing.T) {
	for _, tt := range []struct {
		environ []string
		args    []string
		want    bool
	}{
		{nil, nil, false}, // tests have no terminal
		{nil, []string{"-c"}, true},
		{[]string{"FORCE_COLOR=0"}, nil, true},
		{[]string{"CI=true"}, nil, true},
		{[]string{"CI=yes"}, nil, false},
		{[]string{"CI=true", "NO_COLOR="}, nil, true},
		{[]string{"NO_COLOR=1"}, []string{"-c"}, false},
		{[]string{"TASK_COLOR=true"}, nil, true},
		{[]string{"TASK_COLOR=false", "FORCE_COLOR=1"}, nil, false},
		{[]string{"TASK_COLOR=false"}, []string{"-c"}, true},
	} {
		a := &app{name: "weft", environ: append(tt.environ, "TERM=dumb"), out: report.NewOut(&discard{}), err: report.NewOut(&discard{})}
		flags, err := a.opts.parse(tt.args)
		if err != nil {
			t.Fatal(err)
		}
		if a.settings(flags); a.palette.On != tt.want {
			t.Errorf("%v %v: %v", tt.environ, tt.args, a.palette.On)
		}
	}
}

func TestColorCode(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "35": "35", "38;5;10": "38;5;10", "1,2,3": "38;2;1;2;3", "1,2": "", "red": "", "1;x": "", "\x1b": "",
	} {
		if got := colorCode(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
