package main

import (
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	tests := []struct {
		args string
		want func(*options)
	}{
		{"", func(o *options) {}},
		{"build -sf X=1", func(o *options) {
			o.calls = []string{"build"}
			o.silent, o.force = true, true
			o.setVar("X", "1")
		}},
		{"X=1 X=a=b Y=", func(o *options) { o.setVar("X", "a=b"); o.setVar("Y", "") }},
		{"a -- b -s C=1", func(o *options) { o.calls = []string{"a"}; o.cliArgs = []string{"b", "-s", "C=1"} }},
		{"-C2 --color=false -c", func(o *options) { o.concurrency, o.colorSet = 2, true }},
		{"--graph a", func(o *options) { o.graph, o.calls = "tree", []string{"a"} }},
		{"--graph=dot a -k", func(o *options) { o.graph, o.calls, o.keepGoing = "dot", []string{"a"}, true }},
		{"__complete --list x", func(o *options) { o.complete, o.cliArgs = true, []string{"--list", "x"} }},
	}
	for _, tt := range tests {
		var got options
		if _, err := got.parse(strings.Fields(tt.args)); err != nil {
			t.Errorf("%q: %v", tt.args, err)
			continue
		}
		var want options
		want.flagSet() // its defaults
		tt.want(&want)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q:\n got %+v\nwant %+v", tt.args, got, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for args, want := range map[string]string{
		"--bogus":    "unknown flag: --bogus",
		"-q":         "unknown shorthand flag: 'q' in -q",
		"-d":         "flag needs an argument: 'd' in -d",
		"-C x":       `invalid argument "x" for "-C, --concurrency" flag: strconv.ParseInt: parsing "x": invalid syntax`,
		"--no-color": "unknown flag: --no-color",
	} {
		var o options
		if _, err := o.parse(strings.Fields(args)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", args, err, want)
		}
	}
}

func TestContradictions(t *testing.T) {
	for args, want := range map[string]string{
		"-l -a":                                 "cannot use --list and --list-all at the same time",
		"-j":                                    "--json only applies to --list or --list-all",
		"--why -j":                              "",
		"-l --no-status":                        "--no-status only applies to --json with --list or --list-all",
		"--download --offline":                  "You can't set both --download and --offline flags",
		"-g -d .":                               "You can't set both --global and --dir",
		"--output-group-begin x":                "You can't set --output-group-begin without --output=group",
		"--output-group-begin x -o group":       "",
		"--output-group-error-only -o prefixed": "You can't set --output-group-error-only without --output=group",
		"--cert x":                              "--cert and --cert-key must be provided together",
		"-l --json --nested --no-status --sort z": "",
	} {
		var o options
		if _, err := o.parse(strings.Fields(args)); err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := o.validate(false); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
	}
}

// Every flag is in weft's own help.
func TestHelpNamesEveryFlag(t *testing.T) {
	var o options
	for _, line := range (&app{name: "weft"}).flagNames(o.flagSet()) {
		name, _, _ := strings.Cut(line, "\t")
		if !strings.Contains(weftUsage, name) {
			t.Errorf("--help says nothing of %s", name)
		}
	}
}

func TestAgain(t *testing.T) {
	a := &app{name: "weft"}
	if _, err := a.opts.parse([]string{"-d", "a dir", "--remote=strict", "x", "V=it's", "--", "-n", "b c"}); err != nil {
		t.Fatal(err)
	}
	if got, want := a.rerun("ns:x"), `weft -d 'a dir' --remote=strict ns:x 'V=it'\''s' -- -n 'b c'`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
