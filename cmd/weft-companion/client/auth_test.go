package client

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/channel"
)

func TestExpand(t *testing.T) {
	environ := []string{"A=1", "LONG_name2=x y", "A=2", "EMPTY="}
	for value, want := range map[string]string{
		"": "", "plain": "plain", "$A": "2", "${A}": "2", "a$A-${LONG_name2}$A": "a2-x y2", "${EMPTY}.": ".", "$": "$", "$$A": "$2", "$1": "$1", "${": "${", "${}": "${}", "${A": "${A",
		"$A$": "2$", "cost: 5$ {A}": "cost: 5$ {A}", "$NONE": "!", "${NONE}x": "!", "$Ax": "!",
	} {
		got, err := expand(value, environ)
		if want == "!" {
			if err == nil || !strings.Contains(err.Error(), "is not set") {
				t.Errorf("%q: %q, %v", value, got, err)
			}
		} else if err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", value, got, err, want)
		}
	}
}

func TestAddress(t *testing.T) {
	for text, want := range map[string]string{
		"grpcs://cache.example.com/main":   "rpc tls cache.example.com:443 main",
		"grpcs://cache.example.com:9/a/b/": "rpc tls cache.example.com:9 a/b",
		"grpc://127.0.0.1:8980":            "rpc loopback 127.0.0.1:8980 ",
		"grpc://[::1]:8980/x":              "rpc loopback [::1]:8980 x",
		"grpc://[::ffff:127.0.0.1]":        "rpc loopback [::ffff:127.0.0.1]:80 ",
		"grpc://LOCALHOST":                 "rpc loopback LOCALHOST:80 ",
		"grpc://localhost.example.com":     "rpc localhost.example.com:80 ",
		"https://u:p@h/base/":              "tls h:443 /base",
		"http://10.0.0.1:81/":              "10.0.0.1:81 ",
		"unix:/run/weft.sock":              "rpc loopback unix /run/weft.sock ",
		"unix:relative":                    "! absolute",
		"unix:///run/weft.sock":            "! absolute",
		"":                                 "! must begin",
		"cache.example.com":                "! must begin",
		"ftp://h":                          "! must begin",
		"grpc://":                          "! no host",
		"https://h?x=1":                    "! query",
		"https://h#x":                      "! query",
		"https://h/a b":                    "! space",
		"https://h/\x00":                   "! control",
		"https://user:pass\xff@h":          "! UTF-8",
		"https://user:secret%zz@h":         "! cannot be read",
		"https://user:secret@h:port":       "! cannot be read",
		"grpc://h:port/":                   "! cannot be read",
	} {
		a, err := parseAddress(text)
		if problem, bad := strings.CutPrefix(want, "! "); bad {
			if err == nil || !strings.Contains(err.Error(), problem) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%q: got %v, want %s", text, err, problem)
			}
			continue
		}
		var got []string
		for name, is := range map[string]bool{"rpc": a.rpc, "tls": a.tls, "loopback": a.loopback, "unix": a.network == "unix"} {
			if is {
				got = append(got, name)
			}
		}
		slices.SortFunc(got, func(a, b string) int {
			order := "rpc tls loopback unix"
			return strings.Index(order, a) - strings.Index(order, b)
		})
		if all := strings.Join(append(got, a.host, a.path), " "); err != nil || all != want {
			t.Errorf("%q: got %q, %v, want %q", text, all, err, want)
		}
	}
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"grpcs://h/x", "unix:/a", "https://u:p@h:1/x", "grpc://[::1]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseAddress(text)
		if err == nil && (a.host == "" || a.network == "" || a.name() == "" || a.network == "unix" && !a.loopback) {
			t.Errorf("%q: %+v", text, a)
		}
	})
}

func FuzzHelperAnswer(f *testing.F) {
	f.Add([]byte(`{"headers":{"Authorization":["Bearer x"]},"expires":"2030-01-02T03:04:05Z"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, out []byte) {
		headers, _, err := parseHelper(out, time.Now())
		for _, h := range headers {
			if err != nil || checkHeaderName(h.Name) != nil || h.Name != strings.ToLower(h.Name) || strings.ContainsAny(h.Value, "\r\n\x00") {
				t.Errorf("%q: %q, %v", out, h, err)
			}
		}
	})
}

func FuzzExpand(f *testing.F) {
	f.Add("Bearer ${A}$B")
	f.Fuzz(func(t *testing.T, value string) {
		got, err := expand(value, []string{"A=1"})
		if err == nil && !strings.Contains(value, "A") && got != value {
			t.Errorf("%q became %q", value, got)
		}
	})
}

// TestExposure: nothing that is secret goes where others could read it.
func TestExposure(t *testing.T) {
	headers := func(q *channel.ConnectRequest) { q.Headers = []channel.Header{{Name: "x-key", Value: "$KEY"}} }
	insecure := func(q *channel.ConnectRequest) { q.Insecure = true }
	for _, c := range []struct {
		url     string
		environ string
		change  []func(*channel.ConnectRequest)
		want    string
	}{
		{"grpc://192.0.2.1:1", "", nil, "would not be encrypted"},
		{"http://cache.example.com", "", nil, "would not be encrypted"},
		{"http://192.0.2.1:1", "KEY=secret-word", []func(*channel.ConnectRequest){insecure, headers}, "insecure does not go"},
		{"http://u:secret-word@192.0.2.1:1", "", []func(*channel.ConnectRequest){insecure}, "insecure does not go"},
		{"http://192.0.2.1:1", "WEFT_CACHE_TOKEN=secret-word", []func(*channel.ConnectRequest){insecure}, "insecure does not go"},
		{"grpcs://127.0.0.1:1", "", []func(*channel.ConnectRequest){insecure, func(q *channel.ConnectRequest) { q.CA = "/x" }}, "insecure does not go"},
		{"grpc://127.0.0.1:1", "", []func(*channel.ConnectRequest){func(q *channel.ConnectRequest) { q.CA = "/x" }}, "the URL has none"},
		{"grpcs://127.0.0.1:1", "", []func(*channel.ConnectRequest){func(q *channel.ConnectRequest) { q.Cert = "/x" }}, "belong together"},
		{"grpcs://127.0.0.1:1", "", []func(*channel.ConnectRequest){func(q *channel.ConnectRequest) { q.CA = "/nowhere" }}, "cannot be read"},
		{"grpc://127.0.0.1:1", "", []func(*channel.ConnectRequest){headers}, "the variable KEY is not set"},
		{"grpc://127.0.0.1:1", "KEY=secret-word\r\nx: y", []func(*channel.ConnectRequest){headers}, "cannot be sent"},
		{"grpc://127.0.0.1:1", "", []func(*channel.ConnectRequest){func(q *channel.ConnectRequest) { q.Headers = []channel.Header{{Name: "Host", Value: "x"}} }}, "set by weft itself"},
		{"grpc://127.0.0.1:1", "", []func(*channel.ConnectRequest){func(q *channel.ConnectRequest) { q.Headers = []channel.Header{{Name: "a b", Value: "x"}} }}, "is not the name of a header"},
		{"grpc://127.0.0.1:1", "", []func(*channel.ConnectRequest){func(q *channel.ConnectRequest) { q.Helper = "./helper" }}, "no absolute path"},
		{"grpc://127.0.0.1:1", "PATH=/nowhere", []func(*channel.ConnectRequest){func(q *channel.ConnectRequest) { q.Helper = "weft-no-helper" }}, "not in a directory of PATH"},
	} {
		m := newMachine(t, c.environ)
		a := m.connect(c.url, c.change...)
		if !strings.Contains(a.Off, c.want) || len(a.Warnings) != 1 || strings.Contains(fmt.Sprint(a), "secret-word") {
			t.Errorf("%s %s: got %+v, want %s", c.url, c.environ, a, c.want)
		}
		if f := m.lookup(m.save("x").action); f.Lookup != channel.Off {
			t.Errorf("got %+v", f)
		}
	}
}

// TestLocalhostElsewhere: a name that leads away from this machine gets nothing in plain text, even
// if it is localhost.
func TestLocalhostElsewhere(t *testing.T) {
	for _, network := range []string{"192.0.2.1:80", "[2001:db8::1]:80", "0.0.0.0:80"} {
		if err := onlyHere(t.Context(), "tcp", network, nil); err != errNotHere {
			t.Errorf("%s: %v", network, err)
		}
	}
	for _, network := range []string{"127.0.0.1:80", "127.9.9.9:80", "[::1]:80"} {
		if err := onlyHere(t.Context(), "tcp", network, nil); err != nil {
			t.Errorf("%s: %v", network, err)
		}
	}
}

// helperScript writes a credential helper: a script that counts its runs, notes its input, and does
// the rest.
func helperScript(t *testing.T, rest string) (path string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the helper is a shell script")
	}
	path = filepath.Join(t.TempDir(), "helper")
	script := fmt.Sprintf("#!/bin/sh\necho run >>%[1]s.runs\necho \"$*\" >%[1]s.args\ncat >%[1]s.input\nn=$(wc -l <%[1]s.runs)\n%[2]s\n", path, rest)
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func runsOf(t *testing.T, helper string) int {
	t.Helper()
	b, err := os.ReadFile(helper + ".runs")
	if err != nil {
		return 0
	}
	return strings.Count(string(b), "\n")
}

// TestHelper: a credential helper is run when it is needed, and once more when the server does not
// accept what it has said.
func TestHelper(t *testing.T) {
	good := `echo "{\"headers\":{\"Authorization\":[\"Bearer token-$n\"]}}"`
	for name, c := range map[string]struct {
		script  string
		accepts string // the header that the server wants
		want    channel.Lookup
		runs    int
		warns   string
	}{
		"accepted":     {good, "Bearer token-1", channel.Miss, 1, ""},
		"renewed":      {good, "Bearer token-2", channel.Miss, 2, ""},
		"refused":      {good, "Bearer token-9", channel.Off, 2, "refuses access"},
		"fails":        {`echo "no key for secret-text" >&2; exit 3`, "x", channel.Off, 2, "status 3: no key for secret-text"},
		"not JSON":     {`echo hello`, "x", channel.Off, 2, "its answer is not"},
		"huge":         {`head -c 100000 /dev/zero`, "x", channel.Off, 2, "more than 64 KiB"},
		"bad header":   {`echo '{"headers":{"a b":["x"]}}'`, "x", channel.Off, 2, "not the name of a header"},
		"leaves child": {"sleep 1000 &\n" + good, "Bearer token-1", channel.Miss, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newWebsite(t, func(w http.ResponseWriter, q *http.Request, _ int) bool {
				if q.Header.Get("Authorization") != c.accepts {
					http.Error(w, "who are you", http.StatusUnauthorized)
					return true
				}
				return false
			})
			helper := helperScript(t, c.script)
			m := newMachine(t, os.Environ()...)
			m.connect(s.URL, func(q *channel.ConnectRequest) { q.Helper = helper })
			for range 3 {
				if f := m.lookup(m.save("x").action); f.Lookup != c.want {
					t.Errorf("got %+v", f)
				}
			}
			if n := runsOf(t, helper); n != c.runs {
				t.Errorf("%d runs, want %d", n, c.runs)
			}
			args, _ := os.ReadFile(helper + ".args")
			input, _ := os.ReadFile(helper + ".input")
			if want := fmt.Sprintf(`{"uri":"%s/"}`+"\n", strings.Replace(s.URL, "http:", "https:", 1)); string(args) != "get\n" || string(input) != want {
				t.Errorf("got %q, %q, want %q", args, input, want)
			}
			if all := strings.Join(m.said, "\n"); (all == "") != (c.warns == "") || !strings.Contains(all, c.warns) {
				t.Errorf("got %q", m.said)
			}
		})
	}
}

func TestHelperPlaces(t *testing.T) {
	a, err := parseAddress("grpcs://build.Example.com/x")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "help"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"%workspace%/tools/h":            filepath.Join(dir, "tools/h"),
		"/opt/h":                         "/opt/h",
		"help":                           filepath.Join(dir, "help"),
		"build.example.com=/opt/h":       "/opt/h",
		"*.example.com=/opt/h":           "/opt/h",
		"*.COM=/opt/h":                   "/opt/h",
		"example.com=/opt/h":             "",
		"*.build.example.com=/opt/h":     "",
		"*=/opt/h":                       "",
		"data":                           "",
		"":                               "",
		"../help":                        "",
		"%workspace%help":                "",
		"%other%/help":                   "",
		"/opt/a=b":                       "/opt/a=b",
		"build.example.com=relative/one": "",
	} {
		if runtime.GOOS == "windows" && text != "data" {
			continue
		}
		h, err := newHelper(text, &a, dir, []string{"PATH=relative" + string(filepath.ListSeparator) + dir}, nil)
		if (err == nil) != (want != "") || err == nil && (h.path != want || h.uri != "https://build.Example.com/") {
			t.Errorf("%q: got %+v, %v, want %q", text, h, err, want)
		}
	}
}

// TestHelperHangs: who waits for a helper can give up, and the end of the room ends the helper.
func TestHelperHangs(t *testing.T) {
	s := newWebsite(t, nil)
	helper := helperScript(t, "sleep 1000")
	m := newMachine(t, os.Environ()...)
	m.connect(s.URL, func(q *channel.ConnectRequest) { q.Helper = helper })
	ctx, cancel := context.WithCancel(t.Context())
	looked := make(chan error, 1)
	go func() {
		_, err := m.Lookup(ctx, &channel.LookupRequest{Action: channel.Blob{Size: 1}})
		looked <- err
	}()
	for end := time.Now().Add(time.Minute); runsOf(t, helper) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the helper is not run")
		}
	}
	cancel()
	if err := <-looked; err != context.Canceled {
		t.Errorf("got %v", err)
	}
	began := time.Now()
	m.Close()
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("the end took %s", took)
	}
	if s.count("GET ac") > 0 {
		t.Error("it asked without credentials")
	}
}
