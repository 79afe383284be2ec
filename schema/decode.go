package schema

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/weftrun/weft/schema/diag"
)

// Document is what one file says, before includes. Its names are those the
// file itself uses.
type Document struct {
	Workflow
	Version  Text
	Includes []include
	slab     []Task
}

// include is one entry of `includes`.
type include struct {
	name     string
	pos      diag.Pos
	advanced bool

	taskfile, dir Text // templates
	optional      bool
	internal      bool
	flatten       bool
	aliases       []string
	excludes      []string
	vars          Vars
	checksum      Text
}

var rootKeys = newTable("", func() []key[Document] {
	return []key[Document]{
		{"version", `{"type":["string","number"]}`, "The version of the format: 3.", func(d *decoder, t *Document, n *yaml.Node) { t.Version = d.text(n, "version") }},
		{"output", "#output", "How the output of commands is shown.", func(d *decoder, t *Document, n *yaml.Node) { t.Output = d.output(n) }},
		{"method", "#method", "How tasks are found to be up to date.", func(d *decoder, t *Document, n *yaml.Node) { t.Method = d.text(n, "method") }},
		{"includes", `{"type":"object","additionalProperties":{"$ref":"#/$defs/include"}}`, "Other files whose tasks are taken in under a namespace.", readIncludes},
		{"vars", "#vars", "Variables of all tasks.", func(d *decoder, t *Document, n *yaml.Node) { t.Vars = d.vars(n, "vars") }},
		{"env", "#vars", "Environment of all commands.", func(d *decoder, t *Document, n *yaml.Node) { t.Env = d.vars(n, "env") }},
		{"tasks", `{"type":"object","additionalProperties":{"$ref":"#/$defs/task"}}`, "The tasks.", readTasks},
		{"silent", "#bool", "Do not announce commands.", func(d *decoder, t *Document, n *yaml.Node) { t.Silent = d.bool(n, "silent") }},
		{"dotenv", "#strings", "Files of NAME=value lines that add to the environment.", func(d *decoder, t *Document, n *yaml.Node) { t.Dotenv = d.texts(n, "dotenv", false) }},
		{"run", "#run", "What becomes of equal calls.", func(d *decoder, t *Document, n *yaml.Node) { t.Run = d.text(n, "run") }},
		{"interval", "#duration", "How long watching waits for further changes.", func(d *decoder, t *Document, n *yaml.Node) { t.Interval = d.duration(n, "interval", false) }},
		{"set", "#strings", "POSIX shell options of all commands.", func(d *decoder, t *Document, n *yaml.Node) { t.Set = d.strings(n, "set") }},
		{"shopt", "#strings", "Bash shell options of all commands.", func(d *decoder, t *Document, n *yaml.Node) { t.Shopt = d.strings(n, "shopt") }},
		{"use_gitignore", "#bool", "Leave out of sources and generates what git ignores.", func(d *decoder, t *Document, n *yaml.Node) { t.UseGitignore = d.tristate(n, "use_gitignore") }},
	}
})

var outputKeys = newTable("output", func() []key[Output] {
	return []key[Output]{{"group", `{"type":["object","null"],"properties":{"begin":{"type":"string"},"end":{"type":"string"},"error_only":{"type":"boolean"}}}`,
		"Output of a command stays together.", func(d *decoder, o *Output, n *yaml.Node) {
			o.Style = "group"
			groupKeys.decode(d, d.follow(n), o)
		}}}
})

var groupKeys = newTable("output.group", func() []key[Output] {
	return []key[Output]{
		{"begin", "#string", "A line before the output.", func(d *decoder, o *Output, n *yaml.Node) { o.Begin = d.text(n, "begin") }},
		{"end", "#string", "A line after the output.", func(d *decoder, o *Output, n *yaml.Node) { o.End = d.text(n, "end") }},
		{"error_only", "#bool", "Show nothing of a command that succeeds.", func(d *decoder, o *Output, n *yaml.Node) { o.ErrorOnly = d.bool(n, "error_only") }},
	}
})

func (d *decoder) output(n *yaml.Node) Output {
	n = d.follow(n)
	o := Output{Pos: d.pos(n)}
	switch n.Kind {
	case yaml.ScalarNode:
		o.Style = d.text(n, "output").S
	case yaml.MappingNode:
		outputKeys.decode(d, n, &o)
		if o.Style == "" {
			d.problem(n, `output must name a style or have the key "group"`, "write `output: group` or `output: {group: {begin: …}}`")
		}
	default:
		d.problem(n, "output must be a string or a map, not "+kindOf(n), "")
	}
	return o
}

// document reads the root node of a file.
func (d *decoder) document(n *yaml.Node) *Document {
	doc := &Document{}
	doc.File = d.file
	if n == nil {
		return doc
	}
	n = d.follow(n)
	doc.Pos = d.pos(n)
	if isNull(n) {
		return doc
	}
	if n.Kind != yaml.MappingNode {
		d.problem(n, "a Taskfile must be a map, not "+kindOf(n), "start it with `version: '3'`")
		return doc
	}
	rootKeys.decode(d, n, doc)
	return doc
}

func readTasks(d *decoder, doc *Document, n *yaml.Node) {
	n = d.follow(n)
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.problem(n, "tasks must be a map, not "+kindOf(n), "write each task as `name:`")
		return
	}
	doc.slab = make([]Task, 0, len(n.Content)/2)
	byName := make(map[string]int, len(n.Content)/2)
	d.pairs(n, func(k, v *yaml.Node) {
		k = d.follow(k)
		if k.Kind != yaml.ScalarNode {
			d.problem(k, "the name of a task must be a string, not "+kindOf(k), "")
			return
		}
		name := k.Value
		i, again := byName[name]
		if !again {
			i = len(doc.slab)
			byName[name] = i
			doc.slab = append(doc.slab, Task{})
		}
		t := &doc.slab[i]
		*t = Task{Name: name, LocalName: name, Pos: d.pos(k), File: d.file}
		d.owner = name
		d.task(v, t)
		d.owner = ""
		v.Content = nil // the nodes of a large file outweigh what they say
	})
	doc.Tasks = make([]*Task, len(doc.slab))
	for i := range doc.slab {
		doc.Tasks[i] = &doc.slab[i]
	}
}

func readIncludes(d *decoder, doc *Document, n *yaml.Node) {
	n = d.follow(n)
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.problem(n, "includes must be a map, not "+kindOf(n), "write `namespace: path`")
		return
	}
	d.pairs(n, func(k, v *yaml.Node) {
		inc := include{name: d.text(k, "a namespace").S, pos: d.pos(k)}
		v = d.follow(v)
		switch {
		case v.Kind == yaml.ScalarNode && !isNull(v):
			inc.taskfile = d.text(v, "an include")
		case v.Kind == yaml.MappingNode:
			inc.advanced = true
			includeKeys.decode(d, v, &inc)
			if inc.taskfile.S == "" && inc.dir.S == "" {
				d.problem(v, "include must specify taskfile or dir", fmt.Sprintf("add `taskfile: PATH` to include %q", inc.name))
				return
			}
		default:
			d.problem(v, "an include must be a path or a map, not "+kindOf(v), "")
			return
		}
		for i := range doc.Includes {
			if doc.Includes[i].name == inc.name {
				doc.Includes[i] = inc
				return
			}
		}
		doc.Includes = append(doc.Includes, inc)
	})
}

var includeKeys = newTable("includes", func() []key[include] {
	return []key[include]{
		{"taskfile", "#string", "The file, or a directory that holds it.", func(d *decoder, t *include, n *yaml.Node) { t.taskfile = d.text(n, "taskfile") }},
		{"dir", "#string", "Where the included tasks run.", func(d *decoder, t *include, n *yaml.Node) { t.dir = d.text(n, "dir") }},
		{"optional", "#bool", "No error when the file is not there.", func(d *decoder, t *include, n *yaml.Node) { t.optional = d.bool(n, "optional") }},
		{"internal", "#bool", "The tasks can only be called by other tasks.", func(d *decoder, t *include, n *yaml.Node) { t.internal = d.bool(n, "internal") }},
		{"flatten", "#bool", "The tasks keep their names.", func(d *decoder, t *include, n *yaml.Node) { t.flatten = d.bool(n, "flatten") }},
		{"aliases", "#strings", "Other names of the namespace.", func(d *decoder, t *include, n *yaml.Node) { t.aliases = d.strings(n, "aliases") }},
		{"excludes", "#strings", "Tasks that are left out.", func(d *decoder, t *include, n *yaml.Node) { t.excludes = d.strings(n, "excludes") }},
		{"vars", "#vars", "Variables given to the included tasks.", func(d *decoder, t *include, n *yaml.Node) { t.vars = d.vars(n, "vars") }},
		{"checksum", "#string", "SHA-256 of the file, in hexadecimal.", func(d *decoder, t *include, n *yaml.Node) { t.checksum = d.text(n, "checksum") }},
	}
})

// vars reads a map of variables in order.
func (d *decoder) vars(n *yaml.Node, what string) Vars {
	n = d.follow(n)
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		d.problem(n, what+" must be a map, not "+kindOf(n), "write `NAME: value`")
		return nil
	}
	vs := make(Vars, 0, len(n.Content)/2)
	d.pairs(n, func(k, v *yaml.Node) {
		k = d.follow(k)
		if k.Kind != yaml.ScalarNode {
			d.problem(k, "the name of a variable must be a string, not "+kindOf(k), "")
			return
		}
		vr := d.variable(k.Value, d.follow(v))
		vr.Pos = d.pos(k)
		if i := vs.Index(k.Value); i >= 0 {
			vs[i] = vr
			return
		}
		vs = append(vs, vr)
	})
	return vs
}

func (d *decoder) variable(name string, n *yaml.Node) Var {
	v := Var{Name: name}
	if n.Kind != yaml.MappingNode {
		v.Value = d.value(n)
		return v
	}
	kinds := 0
	d.pairs(n, func(k, value *yaml.Node) {
		switch k = d.follow(k); k.Value {
		case "sh":
			v.Kind, v.Text = Dynamic, d.text(value, "sh").S
			kinds++
		case "ref":
			v.Kind, v.Text = Ref, d.text(value, "ref").S
			kinds++
		case "map", "value":
			v.Value = d.value(value)
			kinds++
		case "secret":
			v.Secret = d.bool(value, "secret")
		default:
			kinds = 99
			d.problem(k, fmt.Sprintf("variable %q: %q is not a kind of variable", name, k.Value), `use "sh", "ref", "map" or "value"; a map of your own goes below "map:"`)
		}
	})
	if kinds != 1 && kinds < 99 {
		d.problem(n, fmt.Sprintf("variable %q must have exactly one of sh, ref, map and value", name), "a map of your own goes below `map:`")
	}
	return v
}

// platforms reads OS, ARCH and OS/ARCH names.
func (d *decoder) platforms(n *yaml.Node) []Platform {
	var ps []Platform
	d.each(n, "platforms", func(item *yaml.Node) {
		name := d.text(item, "a platform").S
		os, arch, both := strings.Cut(name, "/")
		switch {
		case both && known(knownOS, os) && known(knownArch, arch):
			ps = append(ps, Platform{os, arch})
		case !both && known(knownOS, name):
			ps = append(ps, Platform{OS: name})
		case !both && known(knownArch, name):
			ps = append(ps, Platform{Arch: name})
		default:
			d.problem(item, fmt.Sprintf("unknown platform %q", name), "use Go's names, like linux, arm64 or darwin/arm64")
		}
	})
	return ps
}

// Go's names of operating systems and processors, each between spaces.
const (
	knownOS   = " aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris wasip1 windows zos "
	knownArch = " 386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm "
)

func known(list, name string) bool { return name != "" && strings.Contains(list, " "+name+" ") }
