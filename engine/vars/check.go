package vars

import (
	"errors"
	"fmt"
	"strings"

	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// CheckTemplates reports the templates and references of a workflow that could
// never be expanded, whatever the variables are: they are not well formed, or
// call functions that are not there. Each text is reported once.
func CheckTemplates(w *schema.Workflow) (list diag.List) {
	seen := map[schema.Text]bool{} // a file may be included more than once
	check := func(p schema.Place, text schema.Text) {
		if !p.Expands(text) || p.Kind() == schema.TextVariable || seen[text] {
			return
		}
		seen[text] = true
		what, t := "template", newTemplate(text.S, false)
		if p.Kind() == schema.TextExpression {
			what, t = "reference", newTemplate("{{"+text.S+"}}", true)
		}
		if t.compile(); t.err != nil {
			list.Add(&diag.Diagnostic{Pos: text.Pos, Kind: diag.Other, What: fmt.Sprintf("%s%s cannot be parsed: %s", p.About(), what, reason(t.err))})
		}
	}
	schema.EachSharedText(w, check)
	for _, t := range w.Tasks {
		schema.EachText(t, check)
	}
	return list
}

// reason returns why a template cannot be parsed, without what the engine puts before it:
// its own name and a line within the text, which means nothing beside the position in
// the file.
func reason(err error) string {
	var bad *TemplateError
	if errors.As(err, &bad) {
		err = bad.Err
	}
	s := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "template: "), "resolver")
	return strings.TrimLeft(s, ":0123456789 ")
}
