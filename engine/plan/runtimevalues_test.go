package plan

import (
	"testing"

	"github.com/weftrun/weft/schema/diag"
)

// Exactly the files in which no text can name outputs are skipped.
func TestMayUseRuntimeValues(t *testing.T) {
	for source, want := range map[string]bool{
		"tasks: {a: {ports: {port: 8080}, cmd: export x}}":   false,
		"tasks: {a: 'echo {{port \"b\"}}'}":                  true,
		"tasks: {a: 'echo {{\"b\"|port}}'}":                  true,
		"tasks: {a: 'echo {{.port}} {{support}} {{$port}}'}": false,
		"version: '3'\ntasks: {a: echo}":                     false,
		"tasks: {a: cp input put p}":                         false,
		"tasks: {a: outp":                                    false,
		"tasks: {a: echo pport":                              false,
		"tasks: {a: echo port":                               true,
		"tasks: {a: doutputs}":                               true,
		"tasks: {a: 'echo {{output \"b\"}}'}":                true,
		"tasks: {a: {stdin: {output: b}}}":                   true,
		`tasks: {a: "echo {{\x6futput \"b\"}}"}`:             true,
		`tasks: {a: "echo {{o\u0075tput \"b\"}}"}`:           true,
		"tasks: {a: !!binary ZWNobyB7e291dHB1dCAiYiJ9fQ==}":  true,
		`tasks: {a: "echo {{.A}}\n"}`:                        false,
		"":                                                   true,
	} {
		if got := mayUseRuntimeValues(&diag.File{Source: source}); got != want {
			t.Errorf("%s: %t", source, got)
		}
	}
	if !mayUseRuntimeValues(nil) {
		t.Error("no file")
	}
}
