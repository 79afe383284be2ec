package vars

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"

	sprig "github.com/go-task/slim-sprig/v3"
	"github.com/go-task/template"
	"mvdan.cc/sh/v3/syntax"

	"github.com/weftrun/weft/internal/uuid"
	"github.com/weftrun/weft/schema/yaml"
)

// functions returns the functions that templates can call. The map is made when the first
// template is parsed.
var functions = sync.OnceValue(func() template.FuncMap {
	fs := template.FuncMap(sprig.TxtFuncMap())
	own := template.FuncMap{
		"OS":           func() string { return runtime.GOOS },
		"ARCH":         func() string { return runtime.GOARCH },
		"numCPU":       runtime.NumCPU,
		"catLines":     strings.NewReplacer("\r\n", " ", "\n", " ").Replace,
		"splitLines":   func(s string) []string { return strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n") },
		"fromSlash":    filepath.FromSlash,
		"toSlash":      filepath.ToSlash,
		"exeExt":       exeExt,
		"shellQuote":   shellQuote,
		"q":            shellQuote,
		"splitArgs":    func(string) ([]string, error) { return nil, nil }, // see execution
		"IsSH":         func() bool { return true },
		"joinPath":     filepath.Join,
		"joinEnv":      func(elem ...string) string { return strings.Join(elem, string(os.PathListSeparator)) },
		"joinUrl":      url.JoinPath,
		"relPath":      filepath.Rel,
		"absPath":      filepath.Abs,
		"merge":        mergeMaps,
		"set":          set,
		"output":       func(string, ...string) (any, error) { return nil, errNoOutputs },
		"port":         func(string, ...string) (any, error) { return nil, errNoPorts },
		"spew":         dump,
		"fromYaml":     func(s string) any { v, _ := yaml.Decode(s); return v },
		"mustFromYaml": yaml.Decode,
		"toYaml":       func(v any) string { s, _ := yaml.Encode(v); return s },
		"mustToYaml":   yaml.Encode,
		"uuid":         uuid.New,
		"randIntN":     rand.IntN,
		"print":        fmt.Sprint,
		"println":      fmt.Sprintln,
		"printf":       fmt.Sprintf,
		"html":         template.HTMLEscaper,
		"js":           template.JSEscaper,
		"urlquery":     template.URLQueryEscaper,
		"FromSlash":    filepath.FromSlash, // deprecated
		"ToSlash":      filepath.ToSlash,   // deprecated
		"ExeExt":       exeExt,             // deprecated
	}
	maps.Copy(fs, own)
	return fs
})

func exeExt() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

func shellQuote(s string) (string, error) { return syntax.Quote(s, syntax.LangBash) }

// mergeMaps merges maps. Later ones have priority.
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

// set changes a map in place. It returns an error if the map would contain itself: printing
// that would overflow the stack, which no program survives.
func set(m map[string]any, key string, v any) (map[string]any, error) {
	if holds(reflect.ValueOf(v), reflect.ValueOf(m).Pointer(), map[visit]bool{}) {
		return nil, fmt.Errorf("set %q: a map cannot contain itself", key)
	}
	m[key] = v
	return m, nil
}

// visit identifies a map or a list that was visited, by its address and its length.
type visit struct {
	p uintptr
	n int
}

// holds reports whether the map at address p is v or is contained in it.
func holds(v reflect.Value, p uintptr, seen map[visit]bool) bool {
	switch v.Kind() {
	case reflect.Interface:
		return holds(v.Elem(), p, seen)
	case reflect.Map:
		at := visit{v.Pointer(), v.Len()}
		if at.p == p || seen[at] {
			return at.p == p
		}
		seen[at] = true
		for it := v.MapRange(); it.Next(); {
			if holds(it.Value(), p, seen) {
				return true
			}
		}
	case reflect.Slice, reflect.Array:
		if kind := v.Type().Elem().Kind(); kind != reflect.Interface && kind != reflect.Map && kind != reflect.Slice {
			return false
		}
		if v.Kind() == reflect.Slice {
			at := visit{v.Pointer(), v.Len()}
			if seen[at] {
				return false
			}
			seen[at] = true
		}
		for i := range v.Len() {
			if holds(v.Index(i), p, seen) {
				return true
			}
		}
	}
	return false
}

// builtins are the names of the engine's own functions, for the parser, which only checks whether a
// name exists.
var builtins = sync.OnceValue(func() map[string]any {
	m := map[string]any{}
	for _, name := range [...]string{"and", "call", "eq", "ge", "gt", "index", "le", "len", "lt", "ne", "not", "or", "slice"} {
		m[name] = true
	}
	return m
})
