package plan

import (
	"testing"

	"github.com/weftrun/weft/schema/diag"
)

// A file in which no text can name outputs is passed over, and no other.
func TestMayNameOutputs(t *testing.T) {
	for source, want := range map[string]bool{
		"version: '3'\ntasks: {a: echo}":                    false,
		"tasks: {a: 'echo {{output \"b\"}}'}":               true,
		"tasks: {a: {stdin: {output: b}}}":                  true,
		`tasks: {a: "echo {{\x6futput \"b\"}}"}`:            true,
		`tasks: {a: "echo {{o\u0075tput \"b\"}}"}`:          true,
		"tasks: {a: !!binary ZWNobyB7e291dHB1dCAiYiJ9fQ==}": true,
		`tasks: {a: "echo {{.A}}\n"}`:                       false,
		"":                                                  true,
	} {
		if got := mayNameOutputs(&diag.File{Source: source}); got != want {
			t.Errorf("%s: %t", source, got)
		}
	}
	if !mayNameOutputs(nil) {
		t.Error("no file")
	}
}
