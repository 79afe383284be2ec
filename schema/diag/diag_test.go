package diag

import (
	"errors"
	"fmt"
	"testing"

	"github.com/hashicorp/go-multierror"
)

var file = &File{Path: "/p/Taskfile.yml", Name: "Taskfile.yml"}

func TestPos(t *testing.T) {
	for _, tt := range []struct {
		pos        Pos
		text, path string
	}{
		{Pos{}, "", ""},
		{Pos{Line: 3}, "", ""},
		{Pos{File: file}, "Taskfile.yml", "/p/Taskfile.yml"},
		{Pos{File: file, Line: 3, Column: 5}, "Taskfile.yml:3:5", "/p/Taskfile.yml"},
		{Pos{File: &File{Path: "__stdin__"}, Line: 1, Column: 1}, "__stdin__:1:1", "__stdin__"},
	} {
		if got := tt.pos.String(); got != tt.text || tt.pos.Path() != tt.path || tt.pos.IsValid() != (tt.path != "") {
			t.Errorf("%+v: %q, %q, valid %v", tt.pos, got, tt.pos.Path(), tt.pos.IsValid())
		}
	}
}

func TestDiagnosticText(t *testing.T) {
	for want, d := range map[string]Diagnostic{
		"what":           {What: "what"},
		"what; fix":      {What: "what", Fix: "fix"},
		"what; why; fix": {What: "what", Why: "why", Fix: "fix"},
		"Taskfile.yml:2:1: no task \"biuld\"; needed by \"release\"": {Pos: Pos{file, 2, 1}, What: `no task "biuld"`, Why: `needed by "release"`},
	} {
		if got := d.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestList: order is kept, warnings are not errors, and the diagnostics of a wrapped error are
// found.
func TestList(t *testing.T) {
	var empty List
	if empty.Err() != nil || empty.All() != nil || empty.Warnings() != nil {
		t.Error("an empty list is not empty")
	}
	a, w, b := &Diagnostic{What: "a"}, &Diagnostic{What: "w", Severity: Warning}, &Diagnostic{What: "b"}
	var l, tail List
	l.Add(a)
	l.Add(w)
	tail.Add(b)
	l.Append(tail)
	l.Append(empty)
	if all := l.All(); len(all) != 3 || all[0] != a || all[1] != w || all[2] != b {
		t.Errorf("all: %v", all)
	}
	if ws := l.Warnings(); len(ws) != 1 || ws[0] != w {
		t.Errorf("warnings: %v", ws)
	}
	err := l.Err()
	if err == nil || err.Error() != "a\nb" {
		t.Fatalf("error: %v", err)
	}
	nested := multierror.Append(nil, fmt.Errorf("load: %w", err), errors.New("no diagnostic"), fmt.Errorf("wrapped: %w", w))
	if ds := FromError(nested); len(ds) != 3 || ds[0] != a || ds[1] != b || ds[2] != w {
		t.Errorf("taken apart: %v", ds)
	}
	if FromError(nil) != nil || FromError(errors.New("x")) != nil {
		t.Error("a diagnostic out of nothing")
	}
	var warned List
	warned.Add(w)
	if warned.Err() != nil {
		t.Error("a warning is an error")
	}
}
