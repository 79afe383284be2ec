package schema

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/weftrun/weft/schema/diag"
)

// TestCacheProblems: problems with the key cache, and their messages. A task is a file with only
// that task.
func TestCacheProblems(t *testing.T) {
	const files = "sources: [a], generates: []"
	for _, tt := range []struct{ src, want string }{
		{"{cmd: x, cache: false}", ``},
		{"{cmd: x, cache: ~}", ``},
		{"{cmd: x, cache: true, " + files + "}", ``},
		{"{cmd: x, cache: {env: [CC], key: [a, {sh: cc -v}], remote: false, push: true}, " + files + "}", ``},
		{"{cmd: x, cache: true, generates: []}", `T:1:28: task "a": cache: it has no sources, which determine when its results are out of date; list the files that it reads under sources`},
		{"{cmd: x, cache: true, sources: [{exclude: a}], generates: []}", `T:1:28: task "a": cache: it has no sources, which determine when its results are out of date; list the files that it reads under sources`},
		{"{cmd: x, cache: {}, sources: [a]}", `T:1:28: task "a": cache: it has no generates, so there is nothing to store; list the files that it writes under generates, or write generates: [] if there are none`},
		{"{cmd: x, cache: 1, " + files + "}", `T:1:28: task "a": cache: expected true or false, found the number 1`},
		{"{cmd: x, cache: tru}", `T:1:28: task "a": cache: expected true or false, found the text "tru"`}, // and not what a cached task needs
		{"{cmd: x, cache: {sh: x}, " + files + "}", `warning: T:1:29: task "a": unknown key "sh" in cache`},
		{"{cmd: x, cache: {env: [A=1]}, " + files + "}", `T:1:34: task "a": cache.env: "A=1" is not a name of a variable; write the name alone, as in [CC, CFLAGS]`},
		{"{cmd: x, cache: {env: [WEFT_RUN]}, " + files + "}", `T:1:34: task "a": cache.env: WEFT_RUN is a variable of weft, which results do not depend on; remove it`},
		{"{cmd: x, cache: {key: [{}]}, " + files + "}", `T:1:35: task "a": cache.key: a map needs the key sh; write {sh: go version}`},
		{"{cmd: x, cache: {key: [go version]}, " + files + "}", `T:1:35: task "a": cache.key: "go version" is a text, and is not run as a command; write {sh: go version} for the output of a command`},
		{"{cmd: x, cache: true, interactive: true, " + files + "}", `T:1:28: task "a": cache: the input from the terminal is not known in advance (interactive); remove cache, or interactive`},
		{"{cmd: x, cache: true, service: true, " + files + "}", `T:1:28: task "a": cache: a service has no result; remove cache`},
		{"{cmd: x, cache: true, stdin: {from: b}, " + files + "}", `T:1:28: task "a": cache: its standard input is not known in advance; read a file, as in stdin: {file: in.txt}`},
		{"{cmds: [{pipe: [{cmd: x, stdin: inherit}, y]}], cache: true, " + files + "}", `T:1:67: task "a": cache: its standard input is not known in advance; read a file, as in stdin: {file: in.txt}`},
		{"{cmd: x, cache: true, ipc: true, " + files + "}", `T:1:28: task "a": cache: messages (ipc) are not stored; remove cache`},
		{"{cmds: [{defer: {task: b}}], cache: true, " + files + "}", `T:1:48: task "a": cache: it calls task "b", whose commands and sources are not taken into account; make it a need: deps: [b]`},
		{"{cmd: x, cache: true, user: nobody, " + files + "}", `T:1:28: task "a": cache: the owner of a file is not stored, and its commands run as another user; remove cache, or user`},
		{"{cmd: x, cache: true, leftover: keep, " + files + "}", `T:1:28: task "a": cache: it leaves processes running (leftover: keep); remove cache, or leftover`},
		{"{cmd: x, cache: true, ports: {http: 0}, " + files + "}", `T:1:28: task "a": cache: its ports differ from run to run; remove cache, or ports`},
		{"{cmds: [{cmd: x, stderr: [log, inherit]}], cache: true, " + files + "}", `T:1:62: task "a": cache: its output goes directly to weft's own stream (inherit) and cannot be stored; write log instead of inherit`},
		{"{cmds: [{cmd: x, background: true}], cache: true, " + files + "}", `T:1:56: task "a": cache: a command continues after the task has ended (background); remove cache, or background`},
		// The root.
		{"cache: {env: [CC], key: [a, {sh: cc -v}], all: false, salt: s, push: true}\ntasks: {}", ``},
		{"cache: {salt: '{{.A}}'}\ntasks: {}", `T:1:15: cache: "{{.A}}": templates are not supported here; use $NAME for a variable of the environment`},
		{"cache: {key: ['{{.A}}']}\ntasks: {}", `T:1:15: cache: "{{.A}}": templates are not supported here; use $NAME for a variable of the environment`},
		{"cache: {key: [{sh: '{{.A}}'}]}\ntasks: {}", `T:1:20: cache: "{{.A}}": templates are not supported here; use $NAME for a variable of the environment`},
		{"cache: {remote: grpc://h}\ntasks: {}", ``},
		{"cache: {remote: ~}\ntasks: {}", ``},
		{"cache: {remote: {url: grpc://h, headers: {a: $B, authorization: 'Bearer $T'}, helper: h, tls: {ca: x, cert: y, key: z, server_name: n}, insecure: false}}\ntasks: {}", ``},
		{"cache: {remote: 'grpcs://u:$P@h'}\ntasks: {}", ``},
		{"cache: {remote: 'grpcs://u:secret@h'}\ntasks: {}", `T:1:17: cache.remote: everyone who may read the file can read this password; use a variable of the environment: grpcs://USER:$PASSWORD@HOST`},
		{"cache: {remote: {}}\ntasks: {}", `T:1:17: cache.remote: a map needs the key url; write url: grpcs://HOST/INSTANCE`},
		{"cache: {remote: {url: grpc://h, header: {}}}\ntasks: {}", `warning: T:1:33: unknown key "header" in cache.remote; did you mean "headers"?`},
		{"cache: {remote: {url: '{{.A}}'}}\ntasks: {}", `T:1:23: "{{.A}}": templates are not supported here; use $NAME for a variable of the environment`},
		{"cache: {remote: {url: grpc://h, headers: {'a b': c}}}\ntasks: {}", `T:1:43: headers: "a b" is not the name of a header, or its value has several lines`},
		{"cache: {remote: {url: grpc://h, headers: {a: \"b\\nc\"}}}\ntasks: {}", `T:1:43: headers: "a" is not the name of a header, or its value has several lines`},
		{"cache: {remote: {url: grpc://h, headers: {Authorization: Bearer x}}}\ntasks: {}", `T:1:58: headers: everyone who may read the file can read this credential; use a variable of the environment: 'Bearer $CACHE_TOKEN'`},
		{"cache: {remote: [x]}\ntasks: {}", `T:1:17: remote: expected a URL or a map, found a list`},
	} {
		src := tt.src
		if strings.HasPrefix(src, "{") {
			src = "tasks: {a: " + src + "}"
		}
		doc, got := decodeText(src)
		for _, d := range doc.shadowed {
			got = append(got, d.Error())
		}
		if joined := strings.Join(got, "\n"); joined != tt.want {
			t.Errorf("%s:\n%s\nwant:\n%s", tt.src, joined, tt.want)
		}
	}
}

// TestCached: which tasks are cached.
func TestCached(t *testing.T) {
	tasks := `
tasks:
  plain: {cmd: x, sources: [a], generates: [b]}
  none: {cmd: x, sources: [a], generates: []}
  yes: {cmd: x, sources: [a], generates: [b], cache: {key: [k]}}
  no: {cmd: x, sources: [a], generates: [b], cache: false}
  unsaid: {cmd: x, sources: [a], generates: ~}
  files: {cmd: x, generates: [b]}
  excluded: {cmd: x, sources: [{exclude: a}], generates: [b]}
  calls: {cmds: [{task: yes}], sources: [a], generates: [b]}
`
	for root, want := range map[string]string{
		"":                           "yes",
		"cache: ~":                   "yes",
		"cache: false":               "yes",
		"cache: {key: [k]}":          "yes",
		"cache: true":                "plain none yes",
		"cache: {all: yes, env: []}": "plain none yes",
	} {
		w := workflow(t, root+tasks)
		var got []string
		for _, task := range w.Tasks {
			if w.Cached(task) {
				got = append(got, task.Name)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v are cached, want %s", root, got, want)
		}
	}
}

// TestCacheIgnored: settings of a task that are ignored, with a warning.
func TestCacheIgnored(t *testing.T) {
	const task = "\ntasks: {a: {cmd: x, sources: [s], generates: [], cache: true%s}}"
	for _, tt := range []struct{ src, want string }{
		{"fingerprint: task-v3" + fmt.Sprintf(task, ""), `task "a": cache has no effect with fingerprint: task-v3; which only compares the content of sources; write fingerprint: full in the task`},
		{"" + fmt.Sprintf(task, ", fingerprint: task-v3"), `task "a": cache has no effect with fingerprint: task-v3; which only compares the content of sources; write fingerprint: full in the task`},
		{"fingerprint: task-v3" + fmt.Sprintf(task, ", fingerprint: full"), ""},
		{"method: none" + fmt.Sprintf(task, ""), `task "a": cache has no effect with method: none; which runs the task each time; remove one of them`},
	} {
		w := workflow(t, tt.src)
		got := ""
		list := Check(w)
		for _, d := range list.All() {
			if d.Kind == diag.Suspicious {
				got += d.Error()[strings.Index(d.Error(), "task"):]
			}
		}
		if got != tt.want || tt.want != "" && strings.Contains(tt.want, "task-v3") && w.Cached(w.Tasks[0]) {
			t.Errorf("%s:\n%s\nwant\n%s", tt.src, got, tt.want)
		}
	}
}

// TestCacheOfRoot: texts of the root file are expanded with the environment; an included file's
// settings for all tasks are ignored.
func TestCacheOfRoot(t *testing.T) {
	c := &Cache{Salt: "a-$S-${T}", Key: []CacheText{{Text: Text{S: "$S"}}, {Text: Text{S: "echo $S"}, Command: true}}}
	c.expand(func(name string) string { return map[string]string{"S": "s"}[name] })
	if want := (&Cache{Salt: "a-s-", Key: []CacheText{{Text: Text{S: "s"}}, {Text: Text{S: "echo $S"}, Command: true}}}); !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v, want %+v", c, want)
	}
	var l loader
	doc := &document{Workflow: Workflow{Cache: &Cache{On: True, Pos: diag.Pos{File: &diag.File{Name: "inc.yml"}, Line: 3, Column: 8}}}}
	l.rootOnly(doc)
	want := "inc.yml:3:8: cache: is ignored here; it applies to all files, so an included file cannot set it; write it in the root file, or write cache: true in the tasks"
	if got := l.list.Warnings(); doc.Cache != nil || len(got) != 1 || got[0].Error() != want {
		t.Errorf("%+v, %v", doc.Cache, got)
	}
}
