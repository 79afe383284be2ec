package engine_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/weftrun/weft"

// depsRules says who may import whom: for each package the ones of ours that
// it may name. To break an arrow, change the rule in the same commit and say
// why.
var depsRules = map[string]string{
	"schema/diag": "",
	"schema/yaml": "internal/limit",
	"schema":      "schema/diag schema/yaml internal/limit internal/taskurl",

	"engine/event": "schema/diag",
	"engine/vars":  "schema/diag schema/yaml schema internal/limit internal/fifo",
	"engine/plan":  "schema/diag schema engine/vars internal/limit internal/wire",
	"engine/sched": "engine/plan engine/event engine/clock internal/stack",

	// Leaves: mechanisms without any idea of tasks.
	"engine/clock":             "",
	"engine/keeper":            "internal/procstat",
	"engine/proc":              "engine/clock engine/keeper internal/procstat internal/termios",
	"internal/xxh3":            "",
	"engine/glob":              "schema/diag internal/statefile internal/limit",
	"engine/fingerprint/state": "schema/diag internal/statefile",
	"engine/fingerprint":       "schema/diag engine/glob engine/fingerprint/state internal/xxh3",
	"internal/unnamed":         "",
	"internal/procstat":        "",
	"internal/spool":           "internal/unnamed",
	"internal/tail":            "",
	"internal/stack":           "",
	"internal/termios":         "",
	"internal/epipe":           "",
	"internal/statefile":       "",
	"internal/limit":           "", // how much a Taskfile may produce: one rule for all who produce it
	"internal/fifo":            "internal/limit",
	"engine/pipe":              "schema/diag engine/clock internal/unnamed internal/epipe internal/fifo internal/statefile internal/spool",
	"engine/fswatch":           "engine/clock",
	"engine/shell":             "schema/diag engine/clock engine/pipe engine/proc internal/termios internal/epipe internal/limit internal/fifo",
	"engine/ps":                "engine/keeper engine/proc internal/procstat",

	// Layers around a Body, which others implement: here, and elsewhere.
	"engine/executor": "schema/diag engine/plan engine/event engine/sched engine/clock engine/proc engine/fingerprint engine/fingerprint/state engine/glob engine/pipe internal/fifo internal/limit internal/unnamed",
	"engine/command":  "engine/plan engine/event engine/sched engine/clock engine/proc engine/pipe engine/shell engine/executor internal/fifo internal/tail",
	"engine":          "schema/diag schema engine/vars engine/plan engine/event engine/sched engine/clock engine/proc engine/fingerprint engine/fingerprint/state engine/glob engine/pipe engine/shell engine/executor engine/command internal/statefile",
	"engine/watch":    "schema/diag schema engine/plan engine/event engine/clock engine/proc engine/glob engine/pipe engine/fswatch engine/command engine internal/statefile", // above engine: every run is one of its own

	// The second program: what is said to it, and who starts it. schema tells
	// by taskurl what is remote, and the second program fetches that.
	"internal/wire":    "",
	"internal/taskurl": "",
	"engine/channel":   "internal/wire",
	"engine/companion": "engine/channel engine/proc",

	// Test kits.
	"internal/probe": "",

	// The second program: a thin main, and one package a room.
	"internal/version":         "",
	"cmd/weft-companion":       "engine/channel internal/version cmd/weft-companion/fetch",
	"cmd/weft-companion/fetch": "engine/channel engine/proc engine/vars internal/statefile internal/taskurl internal/tail",

	// Who reads a recorded run knows lines and events, never the engine.
	"cmd/weft/recorded": "engine/event internal/fifo",
	// A report sees events, never the state of the engine.
	"cmd/weft/report": "schema/diag engine/event internal/spool internal/epipe internal/tail",
	// Whether a remote file may be used is a matter between the user and the
	// loader; fetching it is the second program's.
	"cmd/weft/remotefile": "schema/diag schema engine/channel engine/companion internal/statefile internal/taskurl",
	"cmd/weft":            "schema/diag schema engine/vars engine/plan engine/event engine/sched engine/proc engine/pipe engine/executor engine/command engine/ps engine engine/watch engine/channel engine/companion cmd/weft/recorded cmd/weft/report cmd/weft/remotefile internal/taskurl internal/termios internal/version internal/fifo internal/limit internal/stack",
}

// libraryRules says which packages may import a library; "*" stands for all.
// What is not listed is not used outside tests.
var libraryRules = map[string]string{
	"gopkg.in/yaml.v3":                   "schema/yaml",
	"github.com/sajari/fuzzy":            "schema",
	"golang.org/x/mod":                   "schema",
	"github.com/dominikbraun/graph":      "engine/plan",
	"github.com/go-task/slim-sprig/v3":   "engine/vars",
	"github.com/go-task/template":        "engine/vars",
	"github.com/davecgh/go-spew":         "", // compiles regular expressions at start-up: engine/vars/dump.go is the same
	"github.com/zeebo/xxh3":              "", // asks for the processor at start-up: internal/xxh3 is the same
	"github.com/spf13/pflag":             "cmd/weft",
	"github.com/rogpeppe/go-internal":    "cmd/weft/remotefile", // its diff; the rest is for tests
	"github.com/fsnotify/fsnotify":       "engine/fswatch",
	"github.com/creack/pty":              "engine/pipe",
	"mvdan.cc/sh/v3/interp":              "engine/shell",
	"mvdan.cc/sh/v3":                     "*",
	"mvdan.cc/sh/x":                      "engine/shell", // on Windows
	"github.com/google/uuid":             "*",
	"github.com/hashicorp/go-multierror": "*",
	"github.com/joho/godotenv":           "engine/vars",
	"golang.org/x/sys":                   "*",
	"golang.org/x/term":                  "*",
	"net/http":                           "cmd/weft-companion/fetch", // and below: weft links no network package
	"crypto/tls":                         "cmd/weft-companion/fetch",
	"crypto/x509":                        "cmd/weft-companion/fetch",
	"os/exec":                            "internal/probe", // loses output and knows no groups: ask engine/proc
	"plugin":                             "",
	"unsafe":                             "engine/keeper engine/glob engine/proc",
}

// nameRules says which files, or packages, may use a name of another package.
var nameRules = map[string]string{
	"os.Exit":                   "cmd/weft/main.go cmd/weft-companion/main.go internal/probe",
	"syscall.Exit":              "",
	"log.Fatal":                 "",
	"log.Fatalf":                "",
	"log.Fatalln":               "",
	"os.StartProcess":           "",
	"syscall.StartProcess":      "engine/proc/local_windows.go",
	"syscall.ForkExec":          "engine/proc/link_linux.go engine/proc/local_unix.go",
	"syscall.Exec":              "",
	"unix.Exec":                 "",
	"interp.DefaultExecHandler": "", // loses output of programs that leave a child behind
}

// TestDependencies holds every source file, whatever its build constraints, to
// the rules above, and the rules to the files: an allowance that nothing needs fails.
func TestDependencies(t *testing.T) {
	used := uses{}
	for _, dir := range []string{"cmd", "engine", "internal", "schema"} {
		err := filepath.WalkDir(filepath.Join("..", dir), func(file string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "testdata":
				return filepath.SkipDir
			case d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
				return nil
			}
			name := strings.TrimPrefix(filepath.ToSlash(file), "../")
			used.note(path.Dir(name), "")
			checkFile(t, file, name, used)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for pkg, list := range depsRules {
		if used[pkg] == nil {
			t.Errorf("depsRules names %s, which does not exist", pkg)
			continue
		}
		used.checkAll(t, pkg, list)
	}
	for lib, list := range libraryRules {
		used.checkAll(t, lib, list)
	}
	for name, list := range nameRules {
		used.checkAll(t, name, list)
	}
}

// uses has, for each rule, the allowances that something needs.
type uses map[string]map[string]bool

func (u uses) note(rule, allowance string) {
	if u[rule] == nil {
		u[rule] = map[string]bool{}
	}
	u[rule][allowance] = true
}

// checkAll reports the allowances in list that nothing needs.
func (u uses) checkAll(t *testing.T, rule, list string) {
	t.Helper()
	for allowance := range strings.FieldsSeq(list) {
		if !u[rule][allowance] {
			t.Errorf("%s: nothing needs the allowance %s", rule, allowance)
		}
	}
}

// TestDepsOfWeft: what is linked is paid for at every start, so weft links
// nothing of a network but the addresses that its flags know. All else is in the
// second program.
func TestDepsOfWeft(t *testing.T) {
	for _, system := range []string{"linux", "darwin", "windows"} {
		cmd := exec.Command("go", "list", "-deps", "../cmd/weft")
		cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		for pkg := range strings.FieldsSeq(string(out)) {
			for _, heavy := range []string{"net/http", "crypto/tls", "crypto/x509", "golang.org/x/net", "google.golang.org/grpc", "google.golang.org/protobuf", "github.com/klauspost/compress/zstd", module + "/cmd/weft-companion"} {
				if pkg == heavy || strings.HasPrefix(pkg, heavy+"/") {
					t.Errorf("on %s weft links %s", system, pkg)
				}
			}
		}
		if !strings.Contains(string(out), module+"/engine\n") {
			t.Errorf("not the packages of weft: %s", out)
		}
	}
}

// checkFile reports what the file, called name from the root of the module,
// may not use, and notes in used the allowances that it needs.
func checkFile(t *testing.T, file, name string, used uses) {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return
	}
	pkg := path.Dir(name)
	ours, ruled := depsRules[pkg]
	if !ruled {
		t.Errorf("%s: package %s has no rule in depsRules", name, pkg)
	}
	imported := map[string]string{} // local name -> name in nameRules
	for _, spec := range f.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Error(err)
			continue
		}
		where := fset.Position(spec.Pos()).Line
		if own, ok := strings.CutPrefix(p, module+"/"); ok {
			used.note(pkg, own)
			if !allows(ours, own) {
				t.Errorf("%s:%d: %s may not import %s", name, where, pkg, own)
			}
		} else if rule, known := library(p); known {
			who := libraryRules[rule]
			used.note(rule, pkg)
			used.note(rule, "*")
			if !allows(who, pkg) {
				t.Errorf("%s:%d: %s may not import %s", name, where, pkg, p)
			}
		} else if strings.Contains(strings.Split(p, "/")[0], ".") {
			t.Errorf("%s:%d: library %s has no rule in libraryRules", name, where, p)
		}
		local := path.Base(p)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		imported[local] = path.Base(p)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := sel.X.(*ast.Ident)
		if !ok || imported[x.Name] == "" {
			return true
		}
		what := imported[x.Name] + "." + sel.Sel.Name
		used.note(what, pkg)
		used.note(what, name)
		if who, ruled := nameRules[what]; ruled && !allows(who, pkg) && !allows(who, name) {
			t.Errorf("%s:%d: %s may not be used here", name, fset.Position(sel.Pos()).Line, what)
		}
		return true
	})
}

// library returns the rule for importing p: that of its longest listed prefix.
func library(p string) (rule string, known bool) {
	for q := p; q != "."; q = path.Dir(q) {
		if _, ok := libraryRules[q]; ok {
			return q, true
		}
	}
	return "", false
}

// allows reports whether list names want, or everything.
func allows(list, want string) bool {
	return list == "*" || slices.Contains(strings.Fields(list), want)
}
