package vars

import (
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/davecgh/go-spew/spew"
	sprig "github.com/go-task/slim-sprig/v3"
	"github.com/go-task/template"
	"github.com/google/uuid"
	"mvdan.cc/sh/v3/shell"
	"mvdan.cc/sh/v3/syntax"

	"github.com/weftrun/weft/schema"
)

// functions returns what templates can call. The map is built when the first
// template is parsed.
var functions = sync.OnceValue(func() template.FuncMap {
	fs := template.FuncMap(sprig.TxtFuncMap())
	own := template.FuncMap{
		"OS":           func() string { return runtime.GOOS },
		"ARCH":         func() string { return runtime.GOARCH },
		"numCPU":       runtime.NumCPU,
		"catLines":     catLines,
		"splitLines":   splitLines,
		"fromSlash":    filepath.FromSlash,
		"toSlash":      filepath.ToSlash,
		"exeExt":       exeExt,
		"shellQuote":   shellQuote,
		"q":            shellQuote,
		"splitArgs":    func(s string) ([]string, error) { return shell.Fields(s, nil) },
		"IsSH":         func() bool { return true },
		"joinPath":     filepath.Join,
		"joinEnv":      func(elem ...string) string { return strings.Join(elem, string(os.PathListSeparator)) },
		"joinUrl":      url.JoinPath,
		"relPath":      filepath.Rel,
		"absPath":      filepath.Abs,
		"merge":        mergeMaps,
		"spew":         spew.Sdump,
		"fromYaml":     fromYaml,
		"mustFromYaml": schema.DecodeYAML,
		"toYaml":       toYaml,
		"mustToYaml":   schema.EncodeYAML,
		"uuid":         uuid.New,
		"randIntN":     rand.IntN,
		"FromSlash":    filepath.FromSlash, // deprecated
		"ToSlash":      filepath.ToSlash,   // deprecated
		"ExeExt":       exeExt,             // deprecated
	}
	maps.Copy(fs, own)
	return fs
})

func catLines(s string) string {
	s = strings.ReplaceAll(s, "\r\n", " ")
	return strings.ReplaceAll(s, "\n", " ")
}

func splitLines(s string) []string {
	return strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
}

func exeExt() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

func shellQuote(s string) (string, error) { return syntax.Quote(s, syntax.LangBash) }

// mergeMaps puts the maps together; later ones win.
func mergeMaps(base map[string]any, others ...map[string]any) map[string]any {
	out := maps.Clone(base)
	if out == nil {
		out = map[string]any{}
	}
	for _, m := range others {
		maps.Copy(out, m)
	}
	return out
}

func fromYaml(s string) any {
	v, _ := schema.DecodeYAML(s)
	return v
}

func toYaml(v any) string {
	s, _ := schema.EncodeYAML(v)
	return s
}

// builtins are the names of the engine's own functions, for the parser, which
// only asks whether there is one.
var builtins = sync.OnceValue(func() map[string]any {
	m := map[string]any{}
	for _, name := range [...]string{"and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne",
		"not", "or", "print", "printf", "println", "slice", "urlquery"} {
		m[name] = true
	}
	return m
})
