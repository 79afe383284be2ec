package main

import "testing"

func TestTranscript(t *testing.T) {
	list, err := parseTranscript("$ # why\n$ a b # weft only\none\n\ntwo\n$ c\n[exit 3]\n", 7)
	want := []exchange{
		{line: 8, command: "a b # weft only", want: "one\n\ntwo\n", weftOnly: true},
		{line: 12, command: "c", want: "[exit 3]\n"},
	}
	if err != nil || len(list) != 2 || list[0] != want[0] || list[1] != want[1] {
		t.Errorf("got %+v, %v, want %+v", list, err, want)
	}
	for _, text := range []string{"output\n$ c\n", "$ # comment\noutput\n"} {
		if list, err := parseTranscript(text, 1); err == nil {
			t.Errorf("%q: output of no command is taken for %+v", text, list)
		}
	}
}

func TestTranscriptMatches(t *testing.T) {
	for _, x := range []struct {
		want, got string
		match     bool
	}{
		{"a\n", "a\n", true},
		{"a\n", "a\nb\n", false},
		{"", "a\n", false},
		{"file: … -> …\n", "file: 1 -> 2\n", true},
		{"file: … -> …\n", "file: 1 - 2\n", false},
		{"file: … -> …\n", "a file: 1 -> 2\n", false},
		{"a\n…\n[exit 2]\n", "a\nb\nc\n[exit 2]\n", true},
		{"a\n…\n[exit 2]\n", "a\nb\nc\n[exit 1]\n", false},
	} {
		if got := matches(x.want, x.got); got != x.match {
			t.Errorf("matches(%q, %q) = %v", x.want, x.got, got)
		}
	}
}
