package vars_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// bombs are templates that need more memory or time than available.
var bombs = []string{
	`{{repeat 1000000000 "x"}}`, `{{repeat 9223372036854775807 "xx"}}`, `{{"x" | repeat 1000000000}}`,
	`{{$x := "x"}}{{range until 64}}{{$x = cat $x $x}}{{end}}`, `{{$x := "x"}}{{range until 64}}{{$x = printf "%s%s" $x $x}}{{end}}`,
	`{{$x := "x"}}{{range until 64}}{{$x = print $x $x}}{{end}}`, `{{$x := "xx"}}{{range until 64}}{{$x = replace "x" $x $x}}{{end}}`,
	`{{$x := "\""}}{{range until 64}}{{$x = quote $x}}{{end}}`, `{{$x := "<"}}{{range until 64}}{{$x = html $x $x}}{{end}}`,
	`{{$x := "<"}}{{range until 64}}{{$x = js $x $x}}{{end}}`, `{{$x := "<"}}{{range until 64}}{{$x = urlquery $x $x}}{{end}}`,
	`{{$x := "x"}}{{range until 200}}{{$x = b64enc $x}}{{end}}`, `{{$x := "x"}}{{range until 200}}{{$x = b32enc $x}}{{end}}`,
	`{{$x := "x"}}{{range until 64}}{{$x = join $x (list $x $x)}}{{end}}`, `{{$x := "x"}}{{range until 64}}{{$x = joinPath $x $x}}{{end}}`,
	`{{$x := "x"}}{{range until 64}}{{$x = regexReplaceAll "x" $x "$0$0"}}{{end}}`, `{{$x := "x"}}{{range until 64}}{{$x = regexReplaceAllLiteral "" $x $x}}{{end}}`,
	`{{$x := "x"}}{{range until 64}}{{$x = mustRegexReplaceAll "^(.*)$" $x "$1$1"}}{{end}}`, `{{$x := "x"}}{{range until 64}}{{$x = toJson (list $x $x)}}{{end}}`,
	`{{$x := "x"}}{{range until 64}}{{$x = toYaml (list $x $x)}}{{end}}`, `{{$x := "x"}}{{range until 64}}{{$x = spew $x $x}}{{end}}`,
	`{{$x := "x"}}{{range until 64}}{{$x = joinEnv $x $x}}{{end}}`, `{{$x := "'"}}{{range until 64}}{{$x = shellQuote $x}}{{end}}`,
	`{{indent 1000000000 "x"}}`, `{{nindent 1000000000 "x"}}`, `{{indent 9223372036854775807 "x\ny"}}`, `{{indent 100000 (repeat 100000 "\n")}}`,
	`{{until 1000000000}}`, `{{until -1000000000}}`, `{{untilStep 0 9223372036854775807 4611686018427387904}}`, `{{untilStep 0 1000000000 1}}`,
	`{{seq 1000000000}}`, `{{seq 0 9223372036854775807}}`, `{{seq 0 1 1000000000}}`, `{{seq -1000000000 1000000000}}`,
	`{{range until 1000000}}{{range until 1000000}}{{end}}{{end}}`, `{{range 1000000000}}{{end}}`, `{{range until 100000}}{{range until 100000}}x{{end}}{{end}}`,
	`{{range until 1000000}}{{range until 10}}{{range until 10}}{{else}}{{end}}{{end}}{{end}}`, `{{range until 1000}}{{repeat 1000000 "x"}}{{end}}`,
	`{{range until 100000}}{{$x := sha256sum (repeat 1000000 "x")}}{{end}}`, `{{$x := repeat 10000000 "x"}}{{range until 100000}}{{$y := contains "y" $x}}{{end}}`,
	`{{define "a"}}{{template "b"}}{{template "b"}}{{end}}{{define "b"}}{{template "c"}}{{template "c"}}{{end}}{{define "c"}}{{range until 10000}}{{range until 10000}}{{end}}{{end}}{{end}}{{template "a"}}`,
	`{{define "a"}}{{template "a"}}{{end}}{{template "a"}}`, `{{define "a"}}{{template "a"}}{{template "a"}}{{end}}{{template "a"}}`,
	`{{printf "%1000000d%[1]*d" 1}}` + strings.Repeat(`{{printf "%1000000d" 1}}`, 70), `{{printf "` + strings.Repeat("%1000000d", 400) + `" 1}}`,
	`{{$x := repeat 1000000 "x"}}{{printf "` + strings.Repeat("%[1]s", 100) + `" $x}}`, `{{printf "` + strings.Repeat("%*d", 100) + `" ` + strings.Repeat("1000000 1 ", 100) + `}}`,
	`{{$l := list 1}}{{range until 64}}{{$l = list $l $l}}{{end}}{{$l}}`, `{{$l := list 1}}{{range until 64}}{{$l = list $l $l}}{{end}}{{toJson $l}}`,
	`{{$l := list 1}}{{range until 64}}{{$l = append (list $l) $l}}{{end}}{{print $l}}`, `{{$m := dict "a" 1}}{{range until 64}}{{$m = dict "a" $m "b" $m}}{{end}}{{if true}}{{$m}}{{end}}`,
	`{{$l := list 1}}{{range until 64}}{{$l = list $l $l}}{{end}}{{deepEqual $l (list $l)}}`, `{{$l := list 1}}{{range until 64}}{{$l = concat $l $l}}{{end}}`,
	`{{$l := list}}{{range until 1000000}}{{$l = append $l "x"}}{{end}}`, `{{$l := list}}{{range until 100000}}{{$l = append $l (repeat 60000 "x")}}{{end}}`,
	`{{$l := list 1}}{{range until 64}}{{$l = list $l $l}}{{end}}{{range $l}}{{.}}{{end}}`, `{{$l := list 1}}{{range until 64}}{{$l = list $l $l}}{{end}}{{$l | toString | len}}`,
	`{{splitList "" (repeat 10000000 "x")}}`, `{{split "" (repeat 10000000 "x")}}`, `{{splitn "" 10000000 (repeat 10000000 "x")}}`, `{{splitLines (repeat 10000000 "\n")}}`,
	`{{regexFindAll "" (repeat 10000000 "x") -1}}`, `{{regexSplit "" (repeat 10000000 "x") -1}}`, `{{regexMatch "(x+x+)+y(a|b){1000}" (repeat 10000000 "x")}}`,
	`{{regexMatch "((a?){30}){30}b" (repeat 60000000 "a")}}`, `{{fromJson (repeat 10000000 "[],")}}`, `{{fromJson (printf "[%s1]" (repeat 10000000 "1,"))}}`, `{{fromYaml (repeat 10000000 "- \n")}}`,
	`{{chunk 1 (until 10000000)}}`, `{{uniq (chunk 1 (until 1000000))}}`, `{{without (until 1000000) 1 2 3}}{{range until 1000000}}{{$x := without (until 1000000) 1}}{{end}}`,
	`{{range $i := until 1000000}}{{$x := expandenv (repeat 1000000 "$PATH")}}{{end}}`, `{{expandenv (repeat 10000000 "$PATH")}}`, `{{splitArgs (repeat 100000 "{1..9999}")}}`, `{{splitArgs "{1..1000}{1..1000}{1..1000}"}}`,
	`{{splitArgs "${PATH//?/${PATH//?/${PATH//?/${PATH//?/${PATH//?/$PATH}}}}}"}}`,
}

// TestBombs expands templates that need more than available: each is an error. One that is not
// exhausts the memory of the machine, or the time limit of the tests.
func TestBombs(t *testing.T) {
	for i, text := range bombs {
		if testing.Short() && i%8 != 0 {
			continue
		}
		name := text[:min(len(text), 80)]
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := vars.New(vars.Options{Workflow: &schema.Workflow{Dir: "/"}, Environ: []string{"PATH=" + strings.Repeat("/usr/bin:", 12)}})
			out, err := r.Global(vars.Full).Expand(t.Context(), schema.Text{S: text})
			var bad *vars.TemplateError
			if !errors.As(err, &bad) {
				t.Errorf("%s gives %d bytes, %v", name, len(out), err)
				return
			}
		})
	}
}

// TestBounds expands templates that are just within the limits.
func TestBounds(t *testing.T) {
	for text, want := range map[string]int{
		`{{range until 1000000}}x{{end}}`: 1_000_000, `{{len (until 1000000)}}`: 7, `{{repeat 67108864 "x"}}`: 64 << 20, `{{range untilStep 0 3000000 3}}{{end}}`: 0,
		`{{len (splitList "," (repeat 999999 ","))}}`: 7, `{{printf "%1000000d" 1}}`: 1_000_000, `{{seq 1 2 9}}`: 9, `{{uniq (list 1 "1" 1.0 1 true)}}`: 12,
		`{{range $i, $x := list 1 2}}{{range until 2}}{{$i}}{{end}}{{end}}`: 4, `{{$l := list 1}}{{$l = list $l $l .NONE}}{{$l}}`: 15, `{{.NONE}}{{list}}`: 2,
	} {
		r := vars.New(vars.Options{Workflow: &schema.Workflow{Dir: "/"}})
		out, err := r.Global(vars.Full).Expand(t.Context(), schema.Text{S: text})
		if err != nil || len(out) != want {
			t.Errorf("%s gives %d bytes (%.40s), %v; want %d", text, len(out), out, err, want)
		}
	}
}

// TestDoubling evaluates variables each of which is twice the one before: as many as
// fit are kept, and one is an error.
func TestDoubling(t *testing.T) {
	for _, next := range []string{"{{.%c}}{{.%c}}", "{{print .%c .%c}}", "{{.%c}}x{{.%c}}"} {
		w := &schema.Workflow{Dir: "/", Vars: schema.Vars{{Name: "A", Value: "xx"}}}
		for c := 'B'; c <= 'Z'; c++ {
			w.Vars = append(w.Vars, schema.Var{Name: string(c), Value: fmt.Sprintf(next, c-1, c-1)})
		}
		w.Vars = append(w.Vars, schema.Var{Name: "END", Value: "{{.Z}}{{.Z}}"})
		_, err := vars.New(vars.Options{Workflow: w}).Global(vars.Full).Expand(t.Context(), schema.Text{S: "{{.END}}"})
		if err == nil || !strings.Contains(err.Error(), "more than 64 MiB") {
			t.Errorf("%s: %v", next, err)
		}
	}
}

// TestWideValues evaluates many variables that are each within the limits, but not all
// together; and references that share parts.
func TestWideValues(t *testing.T) {
	w := &schema.Workflow{Dir: "/", Vars: schema.Vars{{Name: "A", Value: `{{repeat 60000000 "x"}}`}, {Name: "L0", Kind: schema.Ref, Text: "list 1 2"}}}
	all := ""
	for i := range 40 {
		w.Vars = append(w.Vars, schema.Var{Name: fmt.Sprint("B", i), Value: "{{.A}}y"}, schema.Var{Name: fmt.Sprint("L", i+1), Kind: schema.Ref, Text: fmt.Sprintf("list .L%d .L%[1]d", i)})
		all += fmt.Sprintf("{{len .B%d}}", i)
	}
	s := vars.New(vars.Options{Workflow: w}).Global(vars.Full)
	if _, err := s.Expand(t.Context(), schema.Text{S: all}); err == nil || !strings.Contains(err.Error(), "memory") {
		t.Errorf("40 variables of 60 MB: %v", err)
	}
	if _, err := s.Expand(t.Context(), schema.Text{S: "{{.L40}}"}); err == nil || !strings.Contains(err.Error(), "more than 64 MiB") {
		t.Errorf("a list of 2 to the 40: %v", err)
	}
}

// TestCancelledTemplate cancels the context of a slow template.
func TestCancelledTemplate(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	cancel(stopped)
	s := vars.New(vars.Options{Workflow: &schema.Workflow{Dir: "/"}}).Global(vars.Full)
	for _, text := range []string{`{{range until 2000}}x{{end}}`, `{{$x := repeat 10000000 "x"}}{{range until 2000}}{{$y := contains "y" $x}}{{end}}`} {
		if _, err := s.Expand(ctx, schema.Text{S: text}); err != stopped {
			t.Errorf("%s: %v", text, err)
		}
	}
}
