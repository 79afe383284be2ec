package schema

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/weftrun/weft/schema/diag"
)

// notTexts are the keys whose values are text and which EachText leaves out, by the end
// of their path, and why.
var notTexts = map[string]string{
	"aliases":            "names of the task itself",
	"shell":              "a program and its arguments, taken as they are",
	"set":                "words of the format",
	"shopt":              "words of the format",
	"requires.vars.enum": "values, taken as they are",
	"split":              "taken as it is",
	"as":                 "the name of a variable that is defined",
	"match":              "a regular expression",
	"version":            "the format's",
}

// sample is a value for a part of a file that holds one text.
type sample struct {
	path  string
	value any
}

// mark is the text: not a number, duration or word of the format, but a valid source of an output.
const mark = "file:{{.MARK}}"

// sampler makes samples from the JSON Schema of the format, which is made from the tables
// of keys.
type sampler struct {
	defs map[string]any
	open map[string]int // definitions that are being followed
}

// samples returns a value of the form for each place in it that may hold a text.
func (s *sampler) samples(form map[string]any) (all []sample) {
	if name, ok := form["$ref"].(string); ok {
		name = strings.TrimPrefix(name, "#/$defs/")
		if s.open[name] == 2 {
			return nil
		}
		s.open[name]++
		defer func() { s.open[name]-- }()
		return s.samples(s.defs[name].(map[string]any))
	}
	if props, ok := form["properties"].(map[string]any); ok {
		for _, name := range slices.Sorted(maps.Keys(props)) {
			prop, ok := props[name].(map[string]any)
			if !ok {
				continue
			}
			for _, inner := range s.samples(prop) {
				for _, value := range beside(form, name) {
					value[name] = inner.value
					all = append(all, sample{"." + name + inner.path, value})
				}
			}
		}
		return all
	}
	if forms, ok := form["anyOf"].([]any); ok {
		for _, f := range forms {
			all = append(all, s.samples(f.(map[string]any))...)
		}
		return all
	}
	if form["enum"] != nil {
		return nil
	}
	types, ok := form["type"].([]any)
	if !ok {
		types = []any{form["type"]}
	}
	for _, typ := range types {
		switch typ {
		case "string":
			all = append(all, sample{"", mark})
		case "array":
			items, ok := form["items"].(map[string]any)
			if !ok {
				items = map[string]any{"type": "string"}
			}
			for _, inner := range s.samples(items) {
				all = append(all, sample{"[0]" + inner.path, []any{inner.value}})
			}
		case "object":
			if values, ok := form["additionalProperties"].(map[string]any); ok {
				for _, inner := range s.samples(values) {
					all = append(all, sample{".N" + inner.path, map[string]any{"N": inner.value}})
				}
			}
		case nil: // anything
			all = append(all, sample{"", mark}, sample{"", map[string]any{"a": []any{mark}}})
		}
	}
	return all
}

// beside returns values for the required other keys in a map of the form.
func beside(form map[string]any, key string) (maps []map[string]any) {
	required := func(form map[string]any) map[string]any {
		value := map[string]any{}
		names, _ := form["required"].([]any)
		for _, name := range names {
			value[name.(string)] = "1"
		}
		return value
	}
	if needs, _ := form["dependentRequired"].(map[string]any); needs[key] != nil {
		return []map[string]any{{"service": true, "cmd": "x"}}
	}
	if props := form["properties"].(map[string]any); key == "cache" && props["generates"] != nil {
		return []map[string]any{{"sources": []any{"s"}, "generates": []any{}}}
	}
	either, _ := form["anyOf"].([]any)
	for _, alternative := range either {
		value := required(alternative.(map[string]any))
		if value[key] != nil {
			return []map[string]any{{}}
		}
		maps = append(maps, value)
	}
	if maps == nil {
		maps = append(maps, required(form))
	}
	return maps
}

// full is the path inside the file, with the short forms of a task written out.
func full(path string) string {
	inTask, ok := strings.CutPrefix(path, ".tasks.N")
	command, isCmd := strings.CutPrefix(inTask, ".cmd")
	switch {
	case !ok:
		return path
	case inTask == "" || inTask[0] == '[' || strings.HasPrefix(inTask, ".exec["):
		return "task.cmds" + inTask
	case isCmd && (command == "" || command[0] == '.'):
		return "task.cmds" + command
	}
	return "task" + inTask
}

// plain drops from a path what short forms leave out.
func plain(path string) string {
	path = strings.TrimPrefix(strings.ReplaceAll(path, "[0]", ""), ".")
	for _, full := range []string{".cmd", ".task", ".sh", ".name", ".value", ".map", ".port"} {
		path = strings.TrimSuffix(path, full)
	}
	return path
}

// TestEachTextIsComplete: every key of the format that may hold a text is visited once, with its
// kind, or is in the list above.
func TestEachTextIsComplete(t *testing.T) {
	var root map[string]any
	if err := json.Unmarshal(jsonSchema(t), &root); err != nil {
		t.Fatal(err)
	}
	s := sampler{root["$defs"].(map[string]any), map[string]int{}}
	visited, keys := map[string]bool{}, map[Key]bool{}
	missed := map[string]string{}
	for _, sample := range s.samples(root) {
		if strings.HasPrefix(sample.path, ".includes") {
			continue // the loader's; see TestEachSharedText
		}
		src, err := json.Marshal(sample.value)
		if err != nil {
			t.Fatal(err)
		}
		doc, list := decodeFile(&diag.File{Path: "T", Source: string(src)})
		if list.Err() != nil {
			continue // no text is possible there
		}
		w := doc.workflow("/w")
		var found []string
		note := func(p Place, text Text) {
			if !strings.Contains(text.S, mark) {
				return
			}
			path := pathOf(&p)
			if p.Task != nil {
				path = "task." + path
			}
			found = append(found, path)
			if p.Var != nil {
				defined := false
				EachVar(w, func(v *Var) { defined = defined || v == p.Var })
				if !defined {
					t.Errorf("%s: EachVar passes it over", pathOf(&p))
				}
			}
			keys[p.Key] = true
			if !text.Pos.IsValid() {
				t.Errorf("%s: no position", pathOf(&p))
			}
		}
		EachSharedText(w, note)
		for _, task := range w.Tasks {
			EachText(task, note)
			renamed := *task
			(&adder{e: &includeEntry{name: "ns"}}).rename(&renamed)
			EachText(&renamed, func(p Place, name Text) {
				if p.Kind() == TextTask && !strings.HasPrefix(name.S, "ns:") {
					t.Errorf("%s: an include does not put the name into its namespace", pathOf(&p))
				}
			})
		}
		path := plain(full(sample.path))
		switch {
		case len(found) == 1 && plain(found[0]) == path:
			visited[path] = true
		case len(found) > 0:
			t.Errorf("%s: visited as %q", path, found)
		default:
			missed[path] = string(src)
		}
	}
	excused := map[string]bool{}
	for path, src := range missed {
		ends := slices.Collect(maps.Keys(notTexts))
		i := slices.IndexFunc(ends, func(end string) bool { return path == end || strings.HasSuffix(path, "."+end) })
		switch {
		case visited[path]:
		case i < 0:
			t.Errorf("%s: not visited: %s", path, src)
		default:
			excused[ends[i]] = true
		}
	}
	for end, why := range notTexts {
		if !excused[end] {
			t.Errorf("%s (%s): every key that ends so is visited", end, why)
		}
	}
	for k := range textKeys {
		if k := Key(k); !keys[k] && k != KeyIncludeVars {
			t.Errorf("%s: there is no such text", textKeys[k].name)
		}
	}
}

func TestPlace(t *testing.T) {
	w := workflow(t, `
output: {group: {end: t0}}
vars: {A: {map: {x: [t1]}}}
tasks:
  a:
    deps: [b, {task: t2, for: [1, t3]}]
    cmds:
      - t4
      - pipe: [x, {tee: [{cmd: x, if: t5}, {exec: [x, t6], stderr: [log, {file: t7}]}]}]
      - {task: b, for: {matrix: {M: [1], N: {ref: t8}}}, vars: {B: {sh: t9}}}
      - defer: t10
      - {defer: {task: b, vars: {C: {ref: t11}}}}
      - {cmd: x, stdin: {output: {task: t12, vars: {D: t13}}}, stop: {cmd: t14}}
    preconditions: [x, t15, {sh: x, msg: t16}]
    requires: {vars: [X, {name: Y, enum: {ref: t17}}]}
    sources: [x, {exclude: t18}]
    outputs: {o: {from: stdout}, p: {from: 'file:t19'}}
  b: x
`)
	want := map[string]string{
		"t0": "output.group.end plain", "t1": "vars.A plain", "t2": "deps[1].task task", "t3": "deps[1].for literal",
		"t4": "cmds[0].cmd script", "t5": "cmds[1].pipe[1].tee[0].if condition", "t6": "cmds[1].pipe[1].tee[1].exec[1] plain",
		"t7": "cmds[1].pipe[1].tee[1].stderr[1].file path", "t8": "cmds[2].for.matrix.N.ref expression", "t9": "cmds[2].vars.B.sh script",
		"t10": "cmds[3].defer script", "t11": "cmds[4].defer.vars.C.ref expression", "t12": "cmds[5].stdin.output.task task",
		"t13": "cmds[5].stdin.output.vars.D plain", "t14": "cmds[5].stop.cmd script", "t15": "preconditions[1].sh condition",
		"t16": "preconditions[2].msg plain", "t17": "requires.vars[1].enum.ref expression", "t18": "sources[1].exclude pattern",
		"file:t19": "outputs.p.from plain",
	}
	kinds := [...]string{"plain", "script", "condition", "task", "path", "pattern", "word", "expression", "variable", "literal"}
	check := func(p Place, text Text) {
		if want[text.S] == "" {
			return
		}
		if got := pathOf(&p) + " " + kinds[p.Kind()]; got != want[text.S] {
			t.Errorf("%s: %s, want %s", text.S, got, want[text.S])
		}
		delete(want, text.S)
	}
	EachSharedText(w, check)
	for _, task := range w.Tasks {
		EachText(task, check)
	}
	for text := range want {
		t.Errorf("%s: not visited", text)
	}
}

// TestEachSharedText: what an include defines is visited once, however many tasks have it.
func TestEachSharedText(t *testing.T) {
	inc := &Include{Vars: Vars{{Name: "A", Value: "a"}}, FileVars: Vars{{Name: "B", Kind: Dynamic, Text: "b"}}}
	w := &Workflow{Tasks: []*Task{{Include: inc}, {}, {Include: inc}}}
	var got []string
	EachSharedText(w, func(p Place, text Text) { got = append(got, pathOf(&p)+"="+text.S) })
	if want := []string{"includes.vars.A=a", "vars.B.sh=b"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEachTextAllocatesNothing(t *testing.T) {
	task := workflow(t, `
tasks:
  a:
    deps: [b, {task: b, vars: {A: [x, {y: z}]}}]
    vars: {B: {sh: x}, C: {map: {x: y}}}
    cmds: [x, {for: [1, x], cmd: x, if: y}, {cmd: x, stdin: {output: {task: b, vars: {D: x}}}, stdout: {file: y}}]
    status: [x]
    preconditions: [x]
  b: x
`).Task("a")
	n := 0
	if allocs := testing.AllocsPerRun(100, func() { EachText(task, func(_ Place, text Text) { n += len(text.S) }) }); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// BenchmarkEachText walks over 10,000 tasks.
func BenchmarkEachText(b *testing.B) {
	doc, list := decodeFile(&diag.File{Path: "T", Source: string(manyTasks(10_000))})
	if err := list.Err(); err != nil {
		b.Fatal(err)
	}
	tasks, n := doc.workflow("/w").Tasks, 0
	b.ReportAllocs()
	for b.Loop() {
		for _, task := range tasks {
			EachText(task, func(_ Place, text Text) { n += len(text.S) })
		}
	}
}
