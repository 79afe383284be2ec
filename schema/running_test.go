package schema

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weftrun/weft/schema/diag"
)

// TestTooManyNames: the number of names that are kept is limited.
func TestTooManyNames(t *testing.T) {
	for form, want := range map[string]string{
		"tasks: {a: {cmd: x, ports: {%sz: 0}}}":                  `T:1:8919: task "a": ports: there are more than 1000; remove some`,
		"tasks: {a: {cmd: x, service: true, listen: {%sz: ''}}}": `T:1:8935: task "a": listen: there are more than 1000; remove some`,
		"pools: {%sz: 1}\ntasks: {}":                             `T:1:8899: pools: there are more than 1000; remove some`,
	} {
		var entries strings.Builder
		for i := range 1002 {
			fmt.Fprintf(&entries, "p%d: %d, ", i, 1)
		}
		if _, got := decodeText(fmt.Sprintf(form, entries.String())); !slices.Contains(got, want) {
			t.Errorf("%s: %.300s", form, strings.Join(got, "\n"))
		}
	}
}

// TestRunningProblems: problems with the keys of services, messages and shared things, and their
// messages. A task is a file with only that task.
func TestRunningProblems(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		// Services.
		{"{cmd: x, ready: {tcp: 'h:1'}}", `T:1:28: task "a": ready: the task is not a service; add service: true`},
		{"{cmd: x, alive: {tcp: 'h:1'}, service: false}", `T:1:28: task "a": alive: the task is not a service; add service: true`},
		{"{cmd: x, restart: always}", `T:1:30: task "a": restart: the task is not a service; add service: true`},
		{"{cmd: x, listen: {http: 'h:1'}}", `T:1:36: task "a": listen: the task is not a service; add service: true`},
		{"{cmd: x, service: 1}", `T:1:30: task "a": service: expected true or false, found the number 1`},
		{"{service: true, deps: [b]}", `T:1:12: task "a": a service without a command; add the command that is the service; a task that only needs services is up when they are`},
		{"{service: true, cmds: [x, {defer: y}]}", `T:1:38: task "a": the last command of a service is the service itself; it cannot be deferred; write it before the others`},
		{"{service: true, cmds: [x, {task: y}]}", `T:1:38: task "a": the last command of a service is the service itself; it cannot call a task; make that task a service, and need it`},
		{"{service: true, cmds: [{cmd: x, for: [1]}]}", `T:1:35: task "a": the last command of a service is the service itself; it cannot be a loop; move the loop to deps of another task, which then needs the service once for every item`},
		{"{service: true, cmds: [{cmd: x, background: true}]}", `T:1:35: task "a": the last command of a service is the service itself, which always runs in the background; remove background`},
		{"{service: true, cmds: [{defer: y}, x], restart: no, alive: , ready: ~}", ``},
		// Probes.
		{"{service: true, cmd: x, ready: true}", `T:1:43: task "a": ready: expected a map, found the boolean true`},
		{"{service: true, cmd: x, ready: {}}", `T:1:43: task "a": ready has no condition; give one of log, http, tcp, exec, ipc, fd and file`},
		{"{service: true, cmd: x, ready: {timeout: 1s}}", `T:1:43: task "a": ready has no condition; give one of log, http, tcp, exec, ipc, fd and file`},
		{"{service: true, cmd: x, ready: {tcp: 'h:1', log: x}}", `T:1:43: task "a": ready has more than one condition: tcp and log; keep one of them; exec can check several conditions`},
		{"{service: true, cmd: x, ready: {log: '('}}", "T:1:49: task \"a\": log: error parsing regexp: missing closing ): `(`; write a regular expression in the syntax of Go"},
		{"{service: true, cmd: x, ready: {http: 'https://h/x'}}", `T:1:50: task "a": http: a probe does not support TLS; use a program that does: exec: curl -fsS https://h/x`},
		{"{service: true, cmd: x, ready: {http: 'localhost:80'}}", `T:1:50: task "a": http: "localhost:80" is not a URL; write http://HOST[:PORT]/PATH or unix:/SOCKET:/PATH`},
		{"{service: true, cmd: x, ready: {http: 'http:///x'}}", `T:1:50: task "a": http: "http:///x" has no host; write http://HOST[:PORT]/PATH or unix:/SOCKET:/PATH`},
		{"{service: true, cmd: x, ready: {http: 'http://h:0/x'}}", `T:1:50: task "a": http: "0" is not a port from 1 to 65535; write HOST:PORT`},
		{"{service: true, cmd: x, ready: {http: 'http://h:99999'}}", `T:1:50: task "a": http: "99999" is not a port from 1 to 65535; write HOST:PORT`},
		{"{service: true, cmd: x, ready: {http: 'http://u:p@h/'}}", `T:1:50: task "a": http: a probe sends no user name; use a program that does: exec: curl -fsS http://u:p@h/`},
		{"{service: true, cmd: x, ready: {http: \"http://h/\\nX: y\"}}", "T:1:50: task \"a\": http: \"http://h/\\nX: y\" is not a URL; write http://HOST[:PORT]/PATH or unix:/SOCKET:/PATH"},
		{"{service: true, cmd: x, ready: {http: 'unix:s.sock:/x'}}", `T:1:50: task "a": http: the path "s.sock" of a socket does not begin with /; write unix:/SOCKET`},
		{"{service: true, cmd: x, ready: {http: 'http://[::1]:80/x?y'}}", ``},
		{"{service: true, cmd: x, ready: {http: 'HTTP://h'}, alive: {http: 'unix:/s'}}", ``},
		{"{service: true, cmd: x, ready: {tcp: h}}", `T:1:49: task "a": tcp: "h" is not an address; write HOST:PORT`},
		{"{service: true, cmd: x, ready: {tcp: 'h:http'}}", `T:1:49: task "a": tcp: "http" is not a port from 1 to 65535; write HOST:PORT`},
		{"{service: true, cmd: x, ready: {tcp: 'unix:s'}}", `T:1:49: task "a": tcp: the path "s" of a socket does not begin with /; write unix:/SOCKET`},
		{"{service: true, cmd: x, ready: {tcp: '[::1]:5432'}}", ``},
		{"{service: true, cmd: x, ready: {exec: ' '}}", `T:1:50: task "a": exec: the command is empty; write a command that succeeds if the service works`},
		{"{service: true, cmd: x, ready: {file: ''}}", `T:1:50: task "a": file: the name of the file is empty; write the name of the file`},
		{"{ipc: true, service: true, cmd: x, ready: {ipc: false}}", `T:1:60: task "a": ipc: false is not a probe; write ipc: true, or another probe`},
		{"{service: true, cmd: x, ready: {ipc: true}}", `T:1:43: task "a": ipc needs a channel for messages; add ipc: true to the task`},
		{"{service: true, cmds: [{cmd: x, ipc: true}, y], alive: {ipc: true}}", `T:1:67: task "a": ipc needs a channel for messages; add ipc: true to the task`},
		{"{service: true, cmds: [x, {pipe: [x, {cmd: y, ipc: {}}]}], ready: {ipc: true}}", ``},
		{"{service: true, cmd: x, ipc: true, ready: {ipc: true}}", ``},
		{"{cmd: x, outputs: {o: {from: message}}}", `T:1:41: task "a": output o: none of its commands has a channel for messages; add ipc: true to the task`},
		{"{cmds: [{cmd: x, ipc: true}], outputs: {o: {from: message, path: .a}}}", ``},
		{"{service: true, cmd: x, ready: {fd: 2}}", `T:1:48: task "a": fd: 2 is one of stdin, stdout and stderr; use 3 or a later one`},
		{"{service: true, cmd: x, ready: {fd: 4}, listen: {a: 'h:1', b: 'h:2'}}", `T:1:43: task "a": ready: descriptor 4 is one of the sockets of listen, which begin with 3; use fd: 5`},
		{"{service: true, cmd: x, ready: {tcp: 'h:1', interval: 0s}}", `T:1:66: task "a": interval: 0s is too short; write 200ms`},
		{"{service: true, cmd: x, ready: {tcp: 'h:1', timeout: 0s}}", `T:1:65: task "a": timeout must be greater than zero`},
		{"{service: true, cmd: x, ready: {tcp: 'h:1', failures: 2}}", `T:1:43: task "a": failures: has no effect for ready; remove it, and use timeout`},
		{"{service: true, cmd: x, alive: {log: x}}", `T:1:43: task "a": log only reports once that a service works; use http, tcp, exec, ipc or file`},
		{"{service: true, cmd: x, alive: {fd: 3}}", `T:1:43: task "a": fd only reports once that a service works; use http, tcp, exec, ipc or file`},
		{"{service: true, cmd: x, alive: {tcp: 'h:1', failures: 0}}", `T:1:66: task "a": failures: must be at least 1; write 1 for the first failure`},
		{"{service: true, cmd: x, ready: {htp: x}}", "T:1:43: task \"a\": ready has no condition; give one of log, http, tcp, exec, ipc, fd and file\n" +
			`warning: T:1:44: task "a": unknown key "htp" in ready; did you mean "http"?`},
		// Restart.
		{"{service: true, cmd: x, restart: sometimes}", `T:1:45: task "a": invalid restart "sometimes"; use no, on-failure, always, or a limit as in on-failure:5`},
		{"{service: true, cmd: x, restart: 'no:3'}", `T:1:45: task "a": invalid restart "no:3"; use no, on-failure, always, or a limit as in on-failure:5`},
		{"{service: true, cmd: x, restart: 'always:-1'}", `T:1:45: task "a": invalid restart "always:-1"; use no, on-failure, always, or a limit as in on-failure:5`},
		// Sockets and ports.
		{"{service: true, cmd: x, listen: {http: 8080}}", `T:1:51: task "a": listen: "8080" is not an address; write HOST:PORT or unix:PATH`},
		{"{service: true, cmd: x, listen: {http: 'h:0'}}", `T:1:51: task "a": listen: "0" is not a port from 1 to 65535; write HOST:PORT or unix:PATH`},
		{"{service: true, cmd: x, listen: {'a:b': 'h:1'}}", `T:1:45: task "a": listen: "a:b" is not a valid name of a socket; use letters, digits, - and _`},
		{"{service: true, cmd: x, listen: ['h:1']}", `T:1:44: task "a": listen: expected a map of names to addresses, found a list`},
		{"{cmd: x, ports: {http: 65536}}", `T:1:35: task "a": "65536" is not a port from 0 to 65535; write its number, or 0 for any`},
		{"{cmd: x, ports: {http: -1}}", `T:1:35: task "a": "-1" is not a port from 0 to 65535; write its number, or 0 for any`},
		{"{cmd: x, ports: {http: {strict: true}}}", `T:1:35: task "a": port http: strict has no effect if any port is allowed; give its number, or remove strict`},
		{"{cmd: x, ports: {0: 1}}", `T:1:29: task "a": ports: "0" is not a valid name of a port; begin with a letter, and use letters, digits, - and _`},
		{"{cmd: x, ports: {a-b: 1, A_b: 2}}", `T:1:37: task "a": ports: "a-b" and "A_b" are both $PORT_A_B; rename one of them`},
		{"{cmd: x, ports: 8080}", `T:1:28: task "a": ports: expected a map of names to ports, found the number 8080`},
		// What is shared.
		{"{cmd: x, slots: 0}", `T:1:28: task "a": slots: 0 is not allowed; write 1 or more`},
		{"{cmd: x, slots: many}", `T:1:28: task "a": slots: "many" is not a number of at least 1`},
		{"{cmd: x, pool: {take: 2}}", `T:1:27: task "a": pool: the map has no name; add the name of a pool: name: NAME`},
		{"{cmd: x, pool: '{{.P}}'}", `T:1:27: task "a": pool: "{{.P}}": the pool must be known before anything runs; write the literal name`},
		{"{cmd: x, after: b}", `T:1:28: task "a": after: expected a list of task names, found the text "b"; write after: [b]`},
		{"{cmd: x, deps: [{task: b, until: done}]}", `T:1:45: task "a": invalid until "done"; use started, ready, succeeded or ended`},
		// Processes.
		{"{cmd: x, limits: {files: 0}}", `T:1:37: task "a": files: 0 is not allowed; write 1 or more`},
		{"{cmd: x, limits: {memory: much}}", `T:1:38: task "a": "much" is not a size; write a number and a unit, as in 16MiB`},
		{"{cmd: x, limits: {cpu_time: 0s}}", `T:1:40: task "a": cpu_time: 0s is not a time; write 5m`},
		{"{cmd: x, limits: {nice: 20}}", `T:1:36: task "a": nice: "20" is not a number from -20 to 19; write 10 for a low priority`},
		{"{cmd: x, limits: {core: 0, nice: -20}}", ``},
		{"{cmd: x, stdout: {file: f, rotate: {size: 1KiB}, append: true}}", `T:1:29: task "a": a rotated file is always appended to in place; remove append and atomic`},
		{"{cmd: x, stdout: {file: f, rotate: {size: 1KiB}, atomic: false}}", `T:1:29: task "a": a rotated file is always appended to in place; remove append and atomic`},
		{"{cmd: x, stdout: {file: f, rotate: {keep: 1}}}", `T:1:47: task "a": rotate needs a size; add size: 10MiB`},
		{"{cmd: x, stdout: {capture: {}, rotate: {size: 1}}}", `T:1:29: task "a": this is not exactly one place; use {capture: …} or {file: …}; write a list for several`},
		{"{interactive: true, cmds: [{cmd: x, background: true}]}", `T:1:39: task "a": a command of an interactive task cannot run in the background: only one command can use the terminal; remove one of them`},
		{"[{defer: x, background: true}]", `T:1:13: task "a": a deferred command cannot run in the background: it runs when the task ends; remove background`},
		{"[{pipe: [x, {cmd: y, background: true}]}]", `T:1:24: task "a": a member of a group cannot run in the background: the group ends with its members; put background next to the group`},
		// Messages.
		{"{cmd: x, ipc: json}", `T:1:26: task "a": ipc: expected true or false, found the text "json"`},
		{"{cmd: x, ipc: [1]}", `T:1:26: task "a": ipc: expected true or a map, found a list; write true, or a map with send, expect, schema or to`},
		{"{cmd: x, ipc: {send: {a: 1}}}", `T:1:33: task "a": send: expected a list of values, found a map; write a list, as in send: [{task: sum}]`},
		{"{cmd: x, ipc: {send: [[.nan]]}}", `T:1:34: task "a": send: the value is not valid JSON: json: unsupported value: NaN`},
		{"{cmd: x, ipc: {expect: 0}}", `T:1:35: task "a": expect: 0 is not allowed; write 1 or more`},
		{"{cmd: x, ipc: {to: {vars: {A: 1}}}}", `T:1:31: task "a": to has no task; name the task that gets the messages`},
		{"{exec: [npm, run, worker], ipc: true}", `warning: T:1:19: task "a": npm takes the channel of ipc for itself; it is a JavaScript program and uses the channel itself, so the script does not get it; run the script itself, as in exec: [node, worker.js]`},
		{"[{cmd: A=1 npx worker, ipc: {}}]", `warning: T:1:13: task "a": npx takes the channel of ipc for itself; it is a JavaScript program and uses the channel itself, so the script does not get it; run the script itself, as in exec: [node, worker.js]`},
		{"{cmds: [{cmd: npm test, ipc: false}, node x], ipc: true}", ``},
	} {
		if _, got := decodeText("tasks: {a: " + tt.src + "}"); strings.Join(got, "\n") != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.src, strings.Join(got, "\n"), tt.want)
		}
	}
}

// TestPoolsOfFiles: all files share a pool of the same name.
func TestPoolsOfFiles(t *testing.T) {
	for _, tt := range []struct{ root, included, want string }{
		{"{p: 1}", "{p: 1, q: 2}", "p1 q2"},
		{"{}", "{q: 2}", "q2"},
		{"{p: 1}", "{p: 2}", `pool "p" has the size 2 here and 1 at `},
		{"{p: 0}", "{}", "pools: 0 is not allowed"},
		{"{p: [1]}", "{}", "pools: expected text, found a list"},
	} {
		dir := t.TempDir()
		for name, text := range map[string]string{
			"Taskfile.yml": "includes: {n: ./n.yml}\npools: " + tt.root + "\ntasks: {}\n",
			"n.yml":        "pools: " + tt.included + "\ntasks: {a: {cmd: x, pool: {name: q, take: 3}}}\n",
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("version: '3'\n"+text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w, list := Load(t.Context(), LoadOptions{Dir: dir})
		if err := list.Err(); err != nil {
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%+v: %v", tt, err)
			}
			continue
		}
		var got []string
		for _, p := range w.Pools {
			got = append(got, p.Name+string(rune('0'+p.Size)))
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%+v: %s", tt, s)
		}
		p := w.PoolProblem(w.Task("n:a"))
		if p == nil || !strings.Contains(p.Error(), `task "n:a" takes 3 of pool "q", which has 2; so it can never start`) {
			t.Errorf("%+v: %v", tt, p)
		}
	}
}

// TestCheckRunning: problems that --check finds in keys about shared things and waiting.
func TestCheckRunning(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		{"a: {cmd: x, pool: dbs}\n  b: x", `task "a": there is no pool "dbs"; did you mean "db"?`},
		{"a: {cmd: x, pool: {name: db, take: 9}}", `task "a" takes 9 of pool "db", which has 2`},
		{"a: {cmd: x, after: [no]}", `no task "no"; task "a" runs after it`},
		{"a: {cmd: x, after: [lab, '{{.X}}']}\n  b: {cmd: x, label: lab}", ``},
		{"a: {deps: [{task: no, optional: true}]}", ``},
		{"a: {deps: [no]}", `no task "no"`},
		{"a: {cmd: x, ipc: {to: no}}", `no task "no"; called by "a"`},
		{"a: {cmd: x, after: [b]}\n  b: {deps: [a]}", `tasks wait for each other: a → b → a; "a" comes after "b"`},
		{"a: {cmd: x, after: [b]}\n  b: {cmd: x, after: [a]}", `warning: tasks wait for each other: a → b → a`},
		{"a: {deps: [{task: b, until: ended}]}\n  b: {cmd: x, service: true}", `task "a" waits until the service "b" has ended`},
		{"a: {cmd: x, stdin: {output: b}}\n  b: {cmd: x, service: true}", `task "a" reads the finished output of task "b", which is a service`},
		{"a: {cmd: x, ipc: {to: b}}\n  b: {cmd: x, ipc: false}", `task "a" sends messages to task "b", which has no channel for them; add ipc: true to that task`},
		{"a: {cmd: x, ipc: {to: b}}\n  b: {cmds: [x, {cmd: x, ipc: true}]}", ``},
		{"a: {deps: [b, c]}\n  b: {cmd: x, service: true, listen: {a: ':80'}}\n  c: {cmd: x, service: true, ports: {p: {port: 80, strict: true}}}", `services "b" and "c" both need port 80; the other place is T:5:42, and task "a" runs both`},
		{"a: {deps: [b], service: true, cmd: x, listen: {a: 'h:80'}}\n  b: {cmd: x, service: true, listen: {a: 'h:80'}}", `services "a" and "b" both need port h:80; the other place is T:4:53, and task "a" runs both`},
		{"a: {cmd: x, service: true, listen: {a: ':80'}}\n  b: {cmd: x, service: true, listen: {a: ':80'}}", ``},
		{"a: {deps: [b, c]}\n  b: {cmd: x, service: true, ports: {a: 80}}\n  c: {cmd: x, service: true, ports: {p: 80}}", ``},
		{"a: {deps: [b, c]}\n  b: {cmd: x, service: true, listen: {a: /s}}\n  c: {cmd: x, service: true, listen: {a: 'unix:/s'}}", `services "b" and "c" both need /s`},
		{"a: {deps: [b, c, d]}\n  b: {cmd: x, service: true, listen: {a: /s}}\n  c: {cmd: x, service: true, listen: {a: /t, b: 'unix:s'}}\n  d: {cmd: x, service: true, listen: {b: 'unix:s'}}", ``},
		{"a: {service: true, cmd: x, listen: {a: 'localhost:80'}, ready: {tcp: '127.0.0.1:80'}}", `warning: task "a": tcp: a connection to 127.0.0.1:80 is accepted whether the service works or not; weft itself listens there; use http, log, exec, ipc or fd`},
		{"a: {service: true, cmd: x, listen: {a: /s}, alive: {tcp: 'unix:/s'}}", `warning: task "a": tcp: a connection to unix:/s is accepted whether the service works or not`},
		{"a: {service: true, cmd: x, listen: {a: 'unix:s', b: ':80'}, ready: {tcp: 'localhost:81'}, alive: {tcp: 'unix:/s'}}", ``},
		{"a: {cmd: x, ipc: {to: b}}\n  b: {cmd: x, ipc: {to: a}}", `tasks need each other: a → b → a`},
		{"a: {service: true, cmd: x, ready: {exec: 'x )'}}", `ready.exec is not a valid shell script`},
		{"a: {service: true, cmd: x, status: [x], generates: [y]}", "warning: task \"a\": status has no effect on a service; a service is never up to date; remove it, or make the files in a separate task\n" +
			"warning: task \"a\": generates has no effect on a service"},
	} {
		doc, list := decodeFile(&diag.File{Path: "T", Source: "version: '3'\npools: {db: 2}\ntasks:\n  " + tt.src + "\n"})
		if err := list.Err(); err != nil {
			t.Fatal(err)
		}
		var got []string
		list = Check(doc.workflow("/w"))
		for _, d := range list.All() {
			s := d.Error()[strings.Index(d.Error(), " ")+1:]
			if d.Severity == diag.Warning {
				s = "warning: " + s
			}
			got = append(got, s)
		}
		all := strings.Join(got, "\n")
		for want := range strings.SplitSeq(tt.want, "\n") {
			if want == "" && all != "" || !strings.Contains(all, want) {
				t.Errorf("%s\n got %s\nwant %s", tt.src, all, want)
			}
		}
	}
}
