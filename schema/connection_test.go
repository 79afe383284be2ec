package schema

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// loadCache loads a Taskfile with the key cache, in an environment.
func loadCache(t *testing.T, dir, cache string, environ ...string) (*Workflow, string) {
	t.Helper()
	w, list := Load(t.Context(), LoadOptions{Dir: dir, Entrypoint: "-", Stdin: strings.NewReader("version: '3'\ncache: " + cache + "\ntasks: {}\n"), Environ: environ})
	var all []string
	for _, d := range list.All() {
		all = append(all, d.Error())
	}
	return w, strings.Join(all, "\n")
}

// TestConnectionProblems: what is wrong with cache.remote and the variables of the environment.
func TestConnectionProblems(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"ca", "cert", "key"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const forms = "; write grpcs://HOST[:PORT][/INSTANCE], https://HOST/PATH or unix:/PATH"
	for _, tt := range []struct{ remote, environ, want string }{
		{"grpcs://h", "", ""},
		{"grpcs://h:1/i/j", "", ""},
		{"https://h/p", "", ""},
		{"unix:/s", "", ""},
		{"unix:///s", "", ""},
		{"grpc://127.0.0.1:1", "", ""},
		{"'grpc://[::1]:1'", "", ""},
		{"http://localhost", "", ""},
		{"{url: grpc://h, insecure: true}", "", ""},
		{"{url: grpcs://h, headers: {a: b}, helper: x, tls: {ca: ca, cert: cert, key: key, server_name: n}}", "", ""},
		{"grpcs://$HOST/$X", "HOST=h", ""},
		{"h", "", `2:17: cache.remote: "h" is no URL of a cache` + forms},
		{"'h:8980'", "", `2:17: cache.remote: "h:8980" is no URL of a cache` + forms},
		{"ftp://h", "", `2:17: cache.remote: "ftp://h" is no URL of a cache` + forms},
		{"grpcs:///i", "", `2:17: cache.remote: "grpcs:///i" has no host` + forms},
		{"'grpcs://me:pass/word@h'", "", `2:17: cache.remote: it is no URL: special characters of a user or password must be written as %2F` + forms},
		{"'grpcs://h:x'", "", `2:17: cache.remote: it is no URL: invalid port ":x" after host` + forms},
		{"grpcs://$HOST", "", `2:17: cache.remote: "grpcs://" has no host` + forms},
		{"'grpcs://h?q#f'", "", `2:17: cache.remote: "grpcs://h?q#f" has a query or a fragment; remove it`},
		{"unix:s", "", `2:17: cache.remote: "unix:s" has no absolute path; write unix:/PATH`},
		{"unix://h/s", "", `2:17: cache.remote: "unix://h/s" has no absolute path; write unix:/PATH`},
		{"grpc://h", "", `2:17: cache.remote: "grpc://h" is plain text beyond this machine; use grpcs://, or write insecure: true if the network can be trusted`},
		{"http://u:secret@127.0.0.2.example.com", "", `2:17: cache.remote: "http://…@127.0.0.2.example.com" is plain text beyond this machine; use https://, or write insecure: true if the network can be trusted`},
		{"{url: grpc://h, insecure: true, headers: {a: $A}}", "", `2:62: cache.remote: insecure beside headers, which everyone on the way could read; remove one of them`},
		{"{url: grpc://h, insecure: true, helper: x}", "", `2:57: cache.remote: insecure beside helper, which everyone on the way could read; remove one of them`},
		{"{url: grpc://h, insecure: true, tls: {ca: ca}}", "", `2:54: cache.remote: insecure beside tls, which everyone on the way could read; remove one of them`},
		{"{url: 'grpc://u@h', insecure: true}", "", `2:23: cache.remote: insecure beside a user in the URL, which everyone on the way could read; remove one of them`},
		{"{url: grpc://h, insecure: true}", "WEFT_CACHE_TOKEN=x", `2:23: cache.remote: insecure beside WEFT_CACHE_TOKEN, which everyone on the way could read; remove one of them`},
		{"{url: grpcs://h, tls: {cert: cert}}", "", `2:39: cache.remote: tls: cert and key belong together; name both files`},
		{"{url: grpcs://h, tls: {ca: $NO/none}}", "NO=none", `2:44: cache.remote: ` + dir + `/none/none: no such file or directory`},
		{"{url: grpcs://h, tls: {ca: .}}", "", `2:44: cache.remote: ` + dir + ` is not a file`},
		{"{url: grpcs://h, helper: /none/none}", "", `2:42: cache.remote: /none/none: no such file or directory`},
		{"grpcs://h", "WEFT_CACHE_REMOTE=h", `WEFT_CACHE_REMOTE: "h" is no URL of a cache` + forms},
		{"~", "WEFT_CACHE_REMOTE=grpc://h", `WEFT_CACHE_REMOTE: "grpc://h" is plain text beyond this machine; use grpcs://, or write insecure: true if the network can be trusted`},
		{"h", "WEFT_CACHE_REMOTE=", ""},
	} {
		w, got := loadCache(t, dir, "{remote: "+tt.remote+"}", strings.Fields(tt.environ)...)
		got = strings.ReplaceAll(got, "__stdin__:", "")
		if got != tt.want || (w == nil) != (tt.want != "") {
			t.Errorf("%s %s:\n%s\nwant:\n%s", tt.remote, tt.environ, got, tt.want)
		}
	}
}

// TestConnection: what a run is told.
func TestConnection(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ca"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		cache, environ, url string
	}{
		{"{push: true}", "", ""},
		{"{remote: grpcs://a}", "", "grpcs://a"},
		{"{remote: 'grpcs://${A}/$B'}", "A=a B=b", "grpcs://a/b"},
		{"{remote: grpcs://a}", "WEFT_CACHE_REMOTE=grpcs://$A", "grpcs://$A"},
		{"{remote: grpcs://a}", "WEFT_CACHE_REMOTE=", ""},
		{"~", "WEFT_CACHE_REMOTE=unix:/s", "unix:/s"},
	} {
		w, problems := loadCache(t, dir, tt.cache, strings.Fields(tt.environ)...)
		if w == nil {
			t.Errorf("%s: %s", tt.cache, problems)
			continue
		}
		url := ""
		if w.Cache != nil && w.Cache.Remote != nil {
			url = w.Cache.Remote.URL.S
		}
		if url != tt.url {
			t.Errorf("%s %s: got %q, want %q", tt.cache, tt.environ, url, tt.url)
		}
	}
	w, problems := loadCache(t, dir, "{remote: {url: grpcs://a, headers: {authorization: Bearer $A}, helper: $A/h, tls: {ca: $CA, server_name: $A}}}", "A=a", "CA=ca")
	if w == nil {
		t.Fatal(problems)
	}
	if got, want := w.Credentials(), []string{"", "", "a", "Bearer a", "a", "", "", "a", "Bearer a", "a"}; !reflect.DeepEqual(got, want) {
		t.Errorf("credentials: got %q, want %q", got, want)
	}
	if w, _ := loadCache(t, dir, "{remote: 'grpcs://u:$P@a'}", "P=pass", "WEFT_CACHE_TOKEN=token", "WEFT_REMOTE_URL=grpcs://u:other@b"); w == nil || !reflect.DeepEqual(w.Credentials(), []string{"token", "pass", "token", "other"}) {
		t.Errorf("credentials: got %+v", w)
	}
	if w, _ := loadCache(t, dir, "{remote: {url: grpcs://a, headers: {x-team: 'team=$T;${U}', x-all: literal value}}}", "T=blue", "U=green", "WEFT_REMOTE_URL="); w == nil || !reflect.DeepEqual(w.Credentials(), []string{"", "", "blue", "green", "team=blue;green", "team=blue;green"}) {
		t.Errorf("credentials: got %q", w.Credentials())
	}
	c := w.Cache.Remote
	if len(c.Headers) != 1 || c.Headers[0].Name != "authorization" || c.Headers[0].Value.S != "Bearer $A" {
		t.Errorf("headers: %v", c.Headers)
	}
	if got, want := []string{c.Helper.S, c.CA.S, c.Cert.S, c.ServerName.S}, []string{"a/h", filepath.Join(dir, "ca"), "", "a"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestIncludedConnection: another file than the root one names no server.
func TestIncludedConnection(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "other.yml"), []byte("version: '3'\ncache: {remote: grpcs://evil}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w, list := Load(t.Context(), LoadOptions{Dir: dir, Entrypoint: "-", Stdin: strings.NewReader("version: '3'\nincludes: {o: ./other.yml}\n")})
	if w == nil || w.Cache != nil || len(list.All()) != 1 || !strings.Contains(list.All()[0].Error(), "cache: is ignored here") {
		t.Errorf("got %v", list.All())
	}
}

// FuzzConnection: no URL makes the check panic, or show a password.
func FuzzConnection(f *testing.F) {
	f.Add("grpcs://", "h:1/i")
	f.Add("http://", "[::1%25a]:1/x?y#z")
	f.Add(":", "")
	f.Add("x/://", "")
	f.Add("x:", ":x")
	f.Fuzz(func(t *testing.T, before, after string) {
		const password = "hunter2"
		for _, p := range (&Connection{URL: Text{S: before + "u:" + password + "@" + after}}).problems(true, true) {
			if strings.Contains(p.What, password) && !strings.Contains(before+after, password) {
				t.Errorf("%q", p.What)
			}
		}
	})
}
