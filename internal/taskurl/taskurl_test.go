package taskurl

import (
	"slices"
	"strings"
	"testing"
)

func TestIsRemote(t *testing.T) {
	for text, want := range map[string]Kind{
		"": None, ".": None, "Taskfile.yml": None, "/srv/x.git": None, "../x.git//y": None, "a b.yml": None, "x:y": None,
		"C:/x/y.git": None, `C:\x.git`: None, "file:///etc/passwd": None, "ftp://h/x": None, "git+ssh://h/x.git": None, "http:x": None,
		"%": None, "a:b:c": None, "ext::sh -c x/r.git": None, "git@ext::x.git": None, "{{.X}}": None,
		"https://h/x.yml": HTTP, "http://h": HTTP, "HTTPS://h/x": HTTP, "https://h/x.gitx//y": HTTP, "https://h/x//y.git": HTTP,
		"https://h/%zz": HTTP, "https://": HTTP, "http://[::1": HTTP,
		"https://h/x.git": Git, "https://h/x.git//y.yml?ref=a": Git, "http://h/x.git": Git, "https://h/o/p/_git/r": Git,
		"https://github.com/foo/bar.git?ref=v1//taskfile/common.yml": Git,
		"ssh://git@h/x.git": Git, "ssh://h/x": Git, "git://h/x.git": Git, "ssh://%zz": Git,
		"git@h.org:o/x.git//d/y.yml": Git, "git@h.org:o/x": Git, "h.org:x.git": Git, "me@h.org:x.git": Git, "me@h.org:x": None,
		"git@github.com:foo/bar.git?ref=main//Taskfile.yml": Git,
	} {
		if kind, _, _ := split(text); kind != want || IsRemote(text) != (want != None) {
			t.Errorf("%q: kind %d, want %d", text, kind, want)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ text, redacted, host, repository, path, ref string }{
		{text: "https://h:8443/a/b.yml?token=1#frag", redacted: "https://h:8443/a/b.yml?token=1", host: "h:8443"},
		{text: "https://me:secret@h/a", redacted: "https://me:xxxxx@h/a", host: "h"},
		{"https://h/o/r.git//d/Taskfile.yml?ref=main", "https://h/o/r.git//d/Taskfile.yml?ref=main", "h", "https://h/o/r.git", "d/Taskfile.yml", "main"},
		{"https://me:secret@h/r.git", "https://me:xxxxx@h/r.git", "h", "https://me:secret@h/r.git", "", ""},
		{"https://h/o/p/_git/r//d", "https://h/o/p/_git/r//d", "h", "https://h/o/p/_git/r", "d", ""},
		{"git@github.com:foo/bar.git//Taskfile.yml?ref=main", "ssh://git@github.com/foo/bar.git//Taskfile.yml?ref=main", "github.com", "git@github.com:foo/bar.git", "Taskfile.yml", "main"},
		{"ssh://git@h:22/x.git//a//b", "ssh://git@h:22/x.git//a//b", "h:22", "ssh://git@h:22/x.git", "a", ""},
		{"https://h/r.git//a%20b?ref=feature/x", "https://h/r.git//a%20b?ref=feature/x", "h", "https://h/r.git", "a b", "feature/x"},
	} {
		r, err := Parse(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		got := [...]string{r.Redacted(), r.Host(), r.Repository, r.Path, r.Ref}
		if want := [...]string{c.redacted, c.host, c.repository, c.path, c.ref}; got != want {
			t.Errorf("%s: got %q, want %q", c.text, got, want)
		}
		again, err := Parse(r.String())
		if err != nil || again.Repository != r.Repository || again.Path != r.Path || again.Ref != r.Ref || again.String() != r.String() {
			t.Errorf("%s: String gives %s, which is %+v, %v", c.text, r, again, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"Taskfile.yml":                         "not the URL",
		"https://":                             "no host",
		"https:///x.git":                       "no host",
		"https://h/%zz":                        "cannot be read",
		"http://[::1":                          "cannot be read",
		"https://h/r.git//../x":                "out of the repository",
		"https://h/r.git//a/%2e%2e/%2e%2e/x":   "out of the repository",
		"https://h/r.git//a%00b":               "zero byte",
		"https://h/r.git?ref=--upload-pack=x":  "begin with a dash",
		"https://h/r.git?ref=a:b":              "not the name",
		"https://h/r.git?ref=%2Ba":             "not the name",
		"https://h/r.git?ref=^a":               "not the name",
		"https://h/r.git?ref=a..b":             "not the name",
		"https://h/r.git?ref=a%0ab":            "not the name",
		"https://h/r.git?ref=HEAD@%7B1%7D":     "not the name",
		"https://h/r.git?ref=%zz":              "query",
		"ssh://-oProxyCommand=x/r.git":         "dash",
		"ssh://-oProxyCommand=x@h/r.git":       "dash",
		"git@h.org:-x.git":                     "path of a repository",
		"https://h/a%0ab.git":                  "path of a repository",
		"-oProxyCommand=x@h.org:r.git":         "not the URL",
		"-h.org:r.git":                         "dash",
		"git@-h.org:r.git":                     "dash",
		"https://h/r.git//a?ref=refs/heads/*x": "not the name",
	} {
		if r, err := Parse(text); err == nil || r != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, %v, want %q", text, r, err, want)
		}
	}
}

func TestResolve(t *testing.T) {
	for _, c := range []struct{ base, include, want string }{
		{"https://h/a/b.yml", "c.yml", "https://h/a/c.yml"},
		{"https://h/a/b.yml", "../c.yml", "https://h/c.yml"},
		{"https://h/a/b.yml", "/c.yml", "https://h/c.yml"},
		{"https://me:secret@h/a/b.yml", "./c.yml", "https://me:secret@h/a/c.yml"},
		{"https://h/a/b.yml?token=1", "c.yml", "https://h/a/c.yml"},
		{"https://h/a/b.yml", "//other/c.yml", "https://other/c.yml"},
		{"https://h/a/b.yml", "https://other/c.yml", "https://other/c.yml"},
		{"https://h/a/b.yml", "git@o.org:r.git//x", "git@o.org:r.git//x"},
		{"https://h/a/b.yml", "file:///etc/passwd", ""},
		{"https://h/a/b.yml", "%zz", ""},
		{"https://h/r.git//d/Taskfile.yml?ref=v1", "c.yml", "https://h/r.git//d/c.yml?ref=v1"},
		{"https://h/r.git//d/Taskfile.yml?ref=f/x", "../c.yml", "https://h/r.git//c.yml?ref=f/x"},
		{"https://h/r.git//d/Taskfile.yml", "../../c.yml", ""},
		{"https://h/r.git//d/Taskfile.yml", "/etc/passwd", "https://h/r.git//d/etc/passwd"},
		{"https://h/r.git//Taskfile.yml", "a b/c?d.yml", "https://h/r.git//a%20b/c%3Fd.yml"},
		{"git@h.org:o/r.git//d/T.yml?ref=v1", "./c.yml", "git@h.org:o/r.git//d/c.yml?ref=v1"},
		{"git@h.org:o/r.git//d/T.yml?ref=v1", "https://h/x", "https://h/x"},
	} {
		base, err := Parse(c.base)
		if err != nil {
			t.Fatal(err)
		}
		got, err := base.Resolve(c.include)
		if c.want == "" {
			if err == nil {
				t.Errorf("%s + %s: got %s", c.base, c.include, got)
			}
			continue
		}
		if err != nil || got.String() != c.want {
			t.Errorf("%s + %s: got %v, %v, want %s", c.base, c.include, got, err, c.want)
		}
	}
}

func TestJoin(t *testing.T) {
	for _, c := range []struct{ base, want string }{
		{"https://h", "https://h/Taskfile.yml"},
		{"https://h/d/?token=1", "https://h/d/Taskfile.yml?token=1"},
		{"https://h/d", "https://h/d/Taskfile.yml"},
		{"https://h/r.git?ref=v1", "https://h/r.git//Taskfile.yml?ref=v1"},
		{"https://h/r.git//d", "https://h/r.git//d/Taskfile.yml"},
		{"ssh://git@h/r.git//d", "ssh://git@h/r.git//d/Taskfile.yml"},
	} {
		base, err := Parse(c.base)
		if err != nil {
			t.Fatal(err)
		}
		if got := base.Join("Taskfile.yml"); got.String() != c.want || got.Redacted() != c.want {
			t.Errorf("%s: got %s, %s, want %s", c.base, got, got.Redacted(), c.want)
		}
	}
}

// TestCacheName compares with the reference's names.
func TestCacheName(t *testing.T) {
	for text, want := range map[string]string{
		"https://github.com/foo/bar.git//Taskfile.yml?ref=main":           "git.github.com.Taskfile.yml.39d28c1ff36f973705ae188b991258bbabaffd6d60bcdde9693d157d00d5e3a4",
		"https://github.com/foo/bar.git//directory/Taskfile.yml?ref=main": "git.github.com.directory.Taskfile.yml.f1ddddac425a538870230a3e38fc0cded4ec5da250797b6cab62c82477718fbb",
	} {
		if r, err := Parse(text); err != nil || r.CacheName() != want {
			t.Errorf("%s: got %s, %v", text, r.CacheName(), err)
		}
	}
	for text, want := range map[string]string{
		"https://h/ab/c.yml":                    "http.h.ab.c.yml.",
		"https://h/a/b.yml":                     "http.h.b.yml.",
		"https://h:8080":                        "http.h:8080..",
		"https://h/ab/":                         "http.h.ab..",
		"https://h/b.yml":                       "http.h.b.yml.",
		"https://h/r.git":                       "git.h...",
		"https://h/ab/..%00%5cx":                `http.h.ab...__x.`,
		"https://h/" + strings.Repeat("x", 500): "http.h." + strings.Repeat("x", maxPlain) + ".",
	} {
		r, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		got := r.CacheName()
		if !strings.HasPrefix(got, want) && got[:len(got)-64] != want || len(got) > 255-len(".timestamp") {
			t.Errorf("%s: got %s, want %s…", text, got, want)
		}
	}
}

func TestIsCommit(t *testing.T) {
	for ref, want := range map[string]bool{"": false, "main": false, strings.Repeat("a1", 20): true, strings.Repeat("a1", 32): true, strings.Repeat("g1", 20): false, strings.Repeat("a", 39): false} {
		r, err := Parse("https://h/r.git?ref=" + ref)
		if err != nil || r.IsCommit() != want {
			t.Errorf("%q: got %v, %v", ref, r.IsCommit(), err)
		}
	}
}

func TestSecrets(t *testing.T) {
	r, err := Parse("https://me:p%40ss@h/r.git")
	if err != nil || !slices.Contains(r.Secrets(), "p@ss") || !slices.Contains(r.Secrets(), "p%40ss") {
		t.Errorf("got %q, %v", r.Secrets(), err)
	}
	if r, _ := Parse("https://me@h/r.git"); r.Secrets() != nil {
		t.Errorf("got %q", r.Secrets())
	}
}

// FuzzParse: a parsed URL can be formatted and parsed again, and gives no option to git and no path
// outside a repository or a cache.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"https://u:p@h:1/a/../b.git//c/d?ref=e/f", "git@h.org:o/r.git//d?ref=x", "ssh://h/x", "https://h/%2e%2e%2f?x#y", "http://[::1]:3/x", "git@00:0// "} {
		f.Add(s, "../c.yml")
	}
	f.Fuzz(func(t *testing.T, text, include string) {
		r, err := Parse(text)
		if err != nil {
			return
		}
		if !IsRemote(text) {
			t.Fatalf("%q is not remote and was read", text)
		}
		if strings.HasPrefix(r.Repository, "-") || strings.HasPrefix(r.Ref, "-") || slices.Contains(strings.Split(r.Path, "/"), "..") {
			t.Errorf("%q: %+v", text, r)
		}
		if name := r.CacheName(); strings.ContainsAny(name, "/\x00\n") || len(name) > 240 {
			t.Errorf("%q: cache name %q", text, name)
		}
		again, err := Parse(r.String())
		if err != nil || again.Kind != r.Kind || again.Repository != r.Repository || again.Path != r.Path || again.Ref != r.Ref {
			t.Errorf("%q: written as %q: %+v, %v", text, r, again, err)
		}
		if in, err := r.Resolve(include); err == nil && slices.Contains(strings.Split(in.Path, "/"), "..") {
			t.Errorf("%q includes %q: %q", text, include, in)
		}
		r.Join("Taskfile.yml")
	})
}
