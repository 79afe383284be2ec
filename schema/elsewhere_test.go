package schema

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestRemote(t *testing.T) {
	w := workflow(t, `remote:
  mode: off
  all: true
  profile: linux
  profiles:
    linux: {platform: {OSFamily: linux, Pool: [a, b]}, env: {PATH: /bin}, timeout: 1h, runner: {file: dist/weft}}
    mac: {runner: {installed: /usr/bin/weft}}
tasks:
  all: {cmd: x}
  no: {cmd: x, remote: false}
  yes: {cmd: x, remote: true}
  named: {cmd: x, remote: mac}
  map: {cmd: x, remote: {profile: mac, platform: {Pool: big}}}
  null: {cmd: x, remote: }
`)
	r := w.Remote
	want := []Profile{
		{Name: "linux", Platform: []Property{{"OSFamily", "linux"}, {"Pool", "a"}, {"Pool", "b"}}, Env: []Property{{"PATH", "/bin"}}, Timeout: time.Hour, Runner: Runner{File: "dist/weft"}},
		{Name: "mac", Runner: Runner{Installed: "/usr/bin/weft"}},
	}
	for i := range r.Profiles {
		want[i].Pos = r.Profiles[i].Pos
	}
	if !r.All || r.Profile.S != "linux" || !reflect.DeepEqual(r.Profiles, want) {
		t.Errorf("got %+v", r)
	}
	for name, want := range map[string][2]bool{"all": {true, false}, "no": {false, false}, "yes": {true, true}, "named": {true, true}, "map": {true, true}, "null": {true, false}} {
		if wants, told := w.Elsewhere(w.Task(name)); wants != want[0] || told != want[1] {
			t.Errorf("%s: got %t, %t", name, wants, told)
		}
	}
	if m := w.Task("map").Remote; m.Profile.S != "mac" || len(m.Platform) != 1 || w.Task("named").Remote.Profile.S != "mac" {
		t.Errorf("got %+v", m)
	}
	for root, want := range map[string]string{"{profiles: {a: {}, default: {}}}": "default", "{profile: a, profiles: {a: {}, default: {}}}": "a", "{profiles: {a: {}}}": ""} {
		w, list := Load(t.Context(), LoadOptions{Entrypoint: "-", Stdin: strings.NewReader("version: '3'\nremote: " + root + "\n"), Dir: t.TempDir()})
		if w == nil || w.Remote.Profile.S != want {
			t.Errorf("%s: got %+v, %v, want the profile %q", root, w, list, want)
		}
	}
	w = workflow(t, "tasks: {a: {cmd: x}, b: {cmd: x, remote: true}}")
	if wants, _ := w.Elsewhere(w.Tasks[0]); wants {
		t.Error("a task runs elsewhere that does not say so")
	}
}

// TestRemoteServer: where tasks run, and what is wrong with that.
func TestRemoteServer(t *testing.T) {
	const forms = "; write grpcs://HOST[:PORT][/INSTANCE] or unix:/PATH"
	for _, tt := range []struct{ root, environ, url, want string }{
		{"remote: {url: grpcs://a, mode: auto}", "", "grpcs://a", ""},
		{"remote: {url: 'grpcs://$A/i', headers: {x: $A}, tls: {server_name: n}, mode: strict, jobs: 0}", "A=a", "grpcs://a/i", ""},
		{"remote: {url: grpcs://a}", "WEFT_REMOTE_URL=unix:/s", "unix:/s", ""},
		{"remote: {url: grpcs://a, mode: auto}", "WEFT_REMOTE_URL=", "", ""},
		{"remote: {mode: auto}", "WEFT_REMOTE_URL=grpcs://$A", "grpcs://$A", ""},
		{"remote: {mode: auto}\ncache: {remote: grpcs://c}", "", "grpcs://c", ""},
		{"cache: {remote: grpcs://c}", "", "grpcs://c", ""},
		{"cache: {remote: grpcs://c}", "WEFT_REMOTE_URL=", "", ""},
		{"cache: {remote: https://c}", "", "", ""},
		{"remote: {mode: auto}\ncache: {remote: https://c}", "", "", "1:16: mode: auto: remote execution needs a server; set remote.url in the Taskfile, or WEFT_REMOTE_URL"},
		{"remote: {mode: strict}", "", "", "1:16: mode: strict: remote execution needs a server; set remote.url in the Taskfile, or WEFT_REMOTE_URL"},
		{"remote: {url: https://h}", "", "", `1:15: remote: "https://h" is no URL of a server that runs tasks` + forms},
		{"remote: {url: h}", "", "", `1:15: remote: "h" is no URL of a server that runs tasks` + forms},
		{"remote: {url: grpc://h}", "", "", `1:15: remote: "grpc://h" is plain text beyond this machine; use grpcs://, or write insecure: true if the network can be trusted`},
		{"remote: {url: grpc://h, insecure: true, helper: x}", "", "", `1:49: remote: insecure beside helper, which everyone on the way could read; remove one of them`},
		{"remote: {url: grpcs://h, tls: {cert: none}}", "", "", `1:31: remote: tls: cert and key belong together; name both files`},
		{"tasks: {}", "WEFT_REMOTE_URL=h", "", `WEFT_REMOTE_URL: "h" is no URL of a server that runs tasks` + forms},
	} {
		w, list := Load(t.Context(), LoadOptions{Entrypoint: "-", Stdin: strings.NewReader(tt.root + "\nversion: '3'\n"), Environ: strings.Fields(tt.environ), Dir: t.TempDir()})
		got, url := "", ""
		if all := list.All(); len(all) > 0 {
			got = strings.TrimPrefix(all[0].Error(), "__stdin__:")
		}
		if w != nil && w.Remote != nil {
			url = w.Remote.Server.URL.S
		}
		if got != tt.want || url != tt.url {
			t.Errorf("%s %s:\n%q, %s\nwant:\n%q, %s", tt.root, tt.environ, url, got, tt.url, tt.want)
		}
	}
	w := workflow(t, "remote: {url: grpcs://a, jobs: 0, mode: strict, wait: 2m}\ntasks: {}")
	if r := w.Remote; r.Jobs != 0 || r.Mode != RemoteStrict || r.Wait != 2*time.Minute {
		t.Errorf("got %+v", r)
	}
	if w = workflow(t, "remote: {jobs: }\ntasks: {}"); w.Remote.Jobs != DefaultJobs || w.Remote.Mode != RemoteOff {
		t.Errorf("got %+v", w.Remote)
	}
}

func TestRemoteErrors(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		{"remote: {mode: there}", `T:1:16: mode: off, auto or strict is expected, not "there"`},
		{"remote: {jobs: -1}", `T:1:16: jobs: a number from 0 to 1000 is expected, not "-1"`},
		{"remote: {wait: soon}", `invalid timeout format: "soon"`},
		{"remote: {jobs: many}", `jobs: a number from 0 to 1000 is expected, not "many"`},
		{"remote: {url: '{{.X}}'}", `T:1:15: "{{.X}}": templates are not supported here`},
		{"remote: {url: 'grpcs://u:p@h'}", `T:1:15: remote: everyone who may read the file can read this password`},
		{"remote: {mod: off}", `unknown key "mod"`},
		{"remote: {profile: '{{.X}}'}", `nothing is a template here`},
		{"remote: {profiles: {a: {platform: {OSFamily: Windows}}}}", `T:1:35: platform: tasks cannot run elsewhere on Windows`},
		{"remote: {profiles: {a: {runner: {}}}}", `runner: a map with file, or with installed, is expected`},
		{"remote: {profiles: {a: {runner: {file: a, installed: b}}}}", `runner: a map with file, or with installed, is expected`},
		{"remote: {profiles: {a: {timeout: soon}}}", `invalid timeout format: "soon"`},
		{"remote: {profiles: {a: {env: {X: '{{.Y}}'}}}}", `remote: "{{.Y}}": nothing is a template here`},
		{"remote: {profiles: [a]}", `a map of names to profiles`},
		{"remote: true", `a map`},
		{"tasks: {a: {cmd: x, remote: [a]}}", `true or false`},
		{"tasks: {a: {cmd: x, remote: {pool: a}}}", `unknown key "pool"`},
	} {
		all := ""
		for _, d := range problems(tt.src) {
			all += d.Error() + "\n"
		}
		if !strings.Contains(all, tt.want) {
			t.Errorf("%s: got %s, want %s", tt.src, all, tt.want)
		}
	}
}
