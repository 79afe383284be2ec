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

// depsRules lists, for each package, those of our packages that it may import. To break an arrow,
// change the rule in the same commit and say why.
var depsRules = map[string]string{
	"schema/diag": "",
	"schema/yaml": "internal/limit",
	"schema":      "schema/diag schema/yaml internal/fifo internal/heap internal/limit internal/taskurl",

	"engine/event": "schema/diag",
	"engine/vars":  "schema/diag schema/yaml schema internal/limit internal/fifo internal/uuid",
	"engine/plan":  "schema/diag schema engine/vars internal/limit internal/wire",
	"engine/sched": "schema/diag engine/plan engine/event engine/clock internal/stack",

	// Leaves: mechanisms without any idea of tasks.
	"engine/account":           "schema/diag",
	"engine/cgroup":            "internal/procstat",
	"engine/clock":             "",
	"engine/keeper":            "internal/procstat",
	"engine/proc":              "engine/clock engine/keeper internal/procstat internal/termios",
	"internal/xxh3":            "",
	"internal/uuid":            "",
	"engine/glob":              "schema/diag internal/statefile internal/xxh3 internal/limit",
	"engine/fingerprint/state": "schema/diag internal/statefile",
	"engine/depfile":           "",
	"engine/fingerprint":       "schema/diag engine/depfile engine/glob engine/fingerprint/state internal/xxh3",
	"engine/cache":             "internal/statefile internal/wire",
	"internal/unnamed":         "",
	"internal/tempdir":         "internal/statefile",
	"internal/procstat":        "",
	"internal/spool":           "internal/unnamed",
	"internal/tail":            "",
	"internal/quickzip":        "",
	"internal/stack":           "",
	"internal/heap":            "internal/limit",
	"internal/browser":         "", // tests alone import it
	"internal/termios":         "",
	"internal/width":           "",
	"internal/epipe":           "",
	"internal/statefile":       "",
	"internal/limit":           "", // how much a Taskfile may produce: one rule for all producers
	"internal/fifo":            "internal/limit",
	"internal/githead":         "internal/fifo",
	"engine/ipc":               "schema/diag internal/limit",
	"engine/pipe":              "schema/diag engine/clock internal/termios internal/unnamed internal/epipe internal/fifo internal/statefile internal/spool",
	"engine/fswatch":           "engine/clock",
	"engine/jobserver":         "",
	"engine/socket":            "",
	"engine/control":           "",
	"engine/ready":             "engine/clock",
	"engine/trace":             "",
	"engine/shell":             "schema/diag engine/clock engine/pipe engine/proc internal/termios internal/epipe internal/limit internal/fifo",
	"engine/ps":                "engine/keeper engine/proc internal/procstat",

	// Layers around a Body, which others implement: locally, and elsewhere.
	"engine/executor": "schema/diag engine/cache engine/vars engine/plan engine/event engine/sched engine/clock engine/proc engine/fingerprint engine/fingerprint/state engine/glob engine/pipe engine/socket internal/fifo internal/limit internal/unnamed internal/spool engine/trace",
	"engine/command":  "schema/diag engine/account engine/cgroup engine/plan engine/event engine/sched engine/clock engine/proc engine/ipc engine/pipe engine/shell engine/ready engine/socket engine/executor internal/fifo internal/tail internal/limit engine/cache",
	"engine/remote":   "schema/diag schema engine/plan engine/event engine/sched engine/proc engine/cache engine/channel engine/companion engine/executor internal/fifo internal/tempdir", // knows requests to the second program, and that it may be missing, but no server
	"engine":          "schema/diag schema engine/account engine/vars engine/plan engine/event engine/sched engine/clock engine/proc engine/fingerprint engine/fingerprint/state engine/glob engine/pipe engine/shell engine/socket engine/executor engine/command engine/jobserver internal/githead internal/statefile engine/cache engine/remote internal/uuid engine/trace",
	"engine/affected": "schema engine/vars engine/plan engine/glob engine",                                                                                                    // above engine, which knows no earlier state of the files
	"engine/watch":    "schema/diag schema engine/plan engine/event engine/clock engine/proc engine/glob engine/pipe engine/fswatch engine/command engine internal/statefile", // above engine: every run is one of its own

	// The second program: its protocol, and its start. schema recognizes remote files by taskurl, and
	// the second program fetches them.
	"internal/wire":    "",
	"internal/taskurl": "",
	"engine/channel":   "internal/wire",
	"engine/companion": "engine/channel engine/proc",
	// A shared cache is in the terms of package cache, and behind the second program.
	"engine/sharedcache": "engine/cache engine/channel engine/companion",

	// Test kits.
	"internal/probe":             "",
	"cmd/weft/report/tracecheck": "",

	// The second program: a thin main, and one package a room.
	"internal/version":         "",
	"cmd/weft-companion":       "engine/channel internal/version cmd/weft-companion/client cmd/weft-companion/conform cmd/weft-companion/fetch engine/companion cmd/weft-companion/otel cmd/weft-companion/serve cmd/weft-companion/tui cmd/weft-companion/ui",
	"cmd/weft-companion/fetch": "engine/channel engine/proc engine/vars internal/statefile internal/taskurl internal/tail",

	// The shared cache fills the local one, and hides credentials as weft does.
	"cmd/weft-companion/client":  "schema/diag cmd/weft-companion/packing engine/cache engine/channel engine/pipe engine/proc internal/tail internal/uuid",
	"cmd/weft-companion/conform": "engine/channel",
	"cmd/weft-companion/packing": "",
	"cmd/weft-companion/serve":   "schema/diag cmd/weft-companion/packing engine/cache internal/statefile internal/wire",
	"cmd/weft-companion/tui":     "schema/diag engine/control engine/event cmd/weft/report internal/termios",
	"cmd/weft-companion/ui":      "schema/diag engine/companion engine/event cmd/weft/history cmd/weft/report cmd/weft/report/model cmd/weft/report/page internal/statefile internal/unnamed",
	"cmd/weft-companion/otel":    "engine/companion engine/event engine/trace cmd/weft/report/model",

	// Readers of recorded runs know lines and events, never the engine.
	"cmd/weft/recorded": "engine/event internal/fifo",
	"cmd/weft/history":  "engine/event cmd/weft/recorded cmd/weft/report/model internal/statefile internal/tail internal/quickzip",
	"cmd/weft/strace":   "",
	// A report sees events, never the state of the engine.
	"cmd/weft/report/model": "schema/diag engine/event",
	"cmd/weft/report":       "schema/diag engine/event cmd/weft/report/model internal/spool internal/epipe internal/tail internal/width internal/termios",
	"cmd/weft/report/page":  "schema/diag engine/event cmd/weft/report cmd/weft/report/model",
	// Changed files according to git, in the terms of package affected.
	"cmd/weft/changes": "schema engine/affected engine/proc internal/fifo internal/tail",
	// The user and the loader decide whether a remote file may be used; the second program fetches it.
	"cmd/weft/remotefile": "schema/diag schema engine/channel engine/companion internal/statefile internal/taskurl",
	"cmd/weft":            "schema/diag schema engine/vars engine/plan engine/event engine/sched engine/proc engine/pipe engine/executor engine/command engine/control engine/ps engine/shell engine engine/affected engine/cache engine/remote engine/watch engine/channel engine/companion engine/sharedcache cmd/weft/changes cmd/weft/history cmd/weft/recorded cmd/weft/strace cmd/weft/report cmd/weft/report/model cmd/weft/report/page cmd/weft/remotefile internal/tempdir internal/taskurl internal/termios internal/version internal/fifo internal/epipe internal/heap internal/limit internal/stack internal/tail engine/trace",
}

// libraryRules lists the packages that may import a library; "*" stands for all. Libraries that are
// not listed are used only in tests.
var libraryRules = map[string]string{
	"gopkg.in/yaml.v3":                   "schema/yaml",
	"golang.org/x/mod":                   "schema",
	"github.com/dominikbraun/graph":      "engine/plan",
	"github.com/dominikbraun/graph/draw": "", // executes a template: engine/plan writes the same text without one
	"github.com/go-task/slim-sprig/v3":   "engine/vars",
	"github.com/go-task/template":        "engine/vars",
	"github.com/davecgh/go-spew":         "", // compiles regular expressions at start-up: engine/vars/dump.go is the same
	"github.com/zeebo/xxh3":              "", // checks the processor at start-up: internal/xxh3 is the same
	"github.com/spf13/pflag":             "cmd/weft",
	"github.com/rogpeppe/go-internal":    "cmd/weft/remotefile", // its diff; the rest is for tests
	"github.com/fsnotify/fsnotify":       "engine/fswatch",
	"github.com/creack/pty":              "engine/pipe",
	"charm.land/bubbletea/v2":            "cmd/weft-companion/tui", // weft would start 0.4 ms later
	"github.com/charmbracelet/x/ansi":    "cmd/weft-companion/tui",
	"mvdan.cc/sh/v3/interp":              "engine/shell",
	"mvdan.cc/sh/v3":                     "*",
	"mvdan.cc/sh/x":                      "engine/shell", // on Windows
	"github.com/google/uuid":             "",             // links database/sql/driver: internal/uuid replaces it
	"github.com/hashicorp/go-multierror": "*",
	"github.com/joho/godotenv":           "engine/vars",
	"golang.org/x/sys":                   "*",
	"golang.org/x/term":                  "*",
	"net/http":                           "cmd/weft-companion/client cmd/weft-companion/fetch cmd/weft-companion/serve cmd/weft-companion/ui", // and below: weft links no network package
	"crypto/tls":                         "cmd/weft-companion/client cmd/weft-companion/fetch cmd/weft-companion/serve",
	"crypto/x509":                        "cmd/weft-companion/client cmd/weft-companion/fetch cmd/weft-companion/serve",
	"github.com/chromedp":                "internal/browser",
	"os/exec":                            "internal/probe internal/browser", // loses output and knows no groups: ask engine/proc
	"plugin":                             "",
	"unsafe":                             "engine/keeper engine/glob engine/event engine/proc internal/heap",

	"go.opentelemetry.io/otel": "cmd/weft-companion/otel",
	"github.com/go-logr/logr":  "cmd/weft-companion/otel", // used for the SDK's log

	"github.com/bazelbuild/remote-apis":  "cmd/weft-companion/client cmd/weft-companion/serve",
	"github.com/klauspost/compress/zstd": "cmd/weft-companion/packing", // makes a table at start-up
	"cloud.google.com/go/longrunning":    "cmd/weft-companion/client",  // operations of remote execution
	"google.golang.org/genproto":         "cmd/weft-companion/client cmd/weft-companion/serve",
	"google.golang.org/grpc":             "cmd/weft-companion/client cmd/weft-companion/serve",
	"google.golang.org/protobuf":         "cmd/weft-companion/client cmd/weft-companion/serve",

	"github.com/santhosh-tekuri/jsonschema/v6": "cmd/weft-companion/conform", // compiles the schemas of schemas at start-up
}

// nameRules lists the files, or packages, that may use a name of another package.
var nameRules = map[string]string{
	"os.Exit":                   "cmd/weft/main.go cmd/weft-companion/main.go internal/probe",
	"syscall.Exit":              "",
	"log.Fatal":                 "",
	"log.Fatalf":                "",
	"log.Fatalln":               "",
	"os.StartProcess":           "",
	"syscall.StartProcess":      "engine/proc/local_windows.go",
	"syscall.ForkExec":          "engine/proc/link_linux.go engine/proc/local_unix.go engine/proc/detach_unix.go",
	"syscall.Exec":              "cmd/weft/replace_unix.go", // --cache=serve
	"unix.Exec":                 "",
	"interp.DefaultExecHandler": "", // loses output of programs that leave a child behind
}

// TestDependencies checks every source file, whatever its build constraints, against the rules
// above, and the rules against the files: an unused allowance fails.
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

// uses contains, for each rule, the allowances in use.
type uses map[string]map[string]bool

func (u uses) note(rule, allowance string) {
	if u[rule] == nil {
		u[rule] = map[string]bool{}
	}
	u[rule][allowance] = true
}

// checkAll reports the unused allowances in list.
func (u uses) checkAll(t *testing.T, rule, list string) {
	t.Helper()
	for allowance := range strings.FieldsSeq(list) {
		if !u[rule][allowance] {
			t.Errorf("%s: nothing needs the allowance %s", rule, allowance)
		}
	}
}

// TestDepsOfWeft: linked packages cost time at every start, so weft links no network package except
// for the addresses in its flags. Everything else is in the second program.
func TestDepsOfWeft(t *testing.T) {
	for _, system := range []string{"linux", "darwin", "windows"} {
		cmd := exec.Command("go", "list", "-deps", "../cmd/weft")
		cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		for pkg := range strings.FieldsSeq(string(out)) {
			for _, heavy := range []string{"net/http", "crypto/tls", "crypto/x509", "golang.org/x/net", "google.golang.org/grpc", "google.golang.org/protobuf", "go.opentelemetry.io", "github.com/klauspost/compress/zstd", module + "/cmd/weft-companion"} {
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

// checkFile reports forbidden imports and names in the file, whose path in the module is name, and
// records in used the allowances that it needs.
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

// allows reports whether list contains want, or everything.
func allows(list, want string) bool {
	return list == "*" || slices.Contains(strings.Fields(list), want)
}
