//go:build unix

package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// leaks looks for secrets.
type leaks struct {
	t       *testing.T
	forms   map[string][]string // of each secret: as it is, and encoded
	control string              // a text that is no secret
	seen    map[string]bool     // kinds of places in which control was found
}

func newLeaks(t *testing.T, control string, secrets map[string]string) *leaks {
	l := &leaks{t: t, forms: map[string][]string{}, control: control, seen: map[string]bool{}}
	for name, value := range secrets {
		forms := []string{value, url.QueryEscape(value), hex.EncodeToString([]byte(value))}
		for before := range 3 {
			// The characters at the ends also depend on what is around it.
			text := base64.StdEncoding.EncodeToString(append(make([]byte, before), value...))
			forms = append(forms, text[4*((before+2)/3):len(text)-4])
		}
		l.forms[name] = forms
	}
	return l
}

// base64Text is what may be a file in base64.
var base64Text = regexp.MustCompile(`[A-Za-z0-9+/]{120,}=*`)

// look fails if there is a secret in b, also in what is compressed there. kind is that of the place. allowed
// are secrets that may be there.
func (l *leaks) look(kind, place string, b []byte, allowed ...string) {
	l.t.Helper()
	for name, forms := range l.forms {
		for _, form := range forms {
			if i := bytes.Index(b, []byte(form)); i >= 0 && !slices.Contains(allowed, name) {
				l.t.Errorf("the secret %q is in %s %s, as %q:\n%q", name, kind, place, form, b[max(0, i-200):min(len(b), i+200)])
				break
			}
		}
	}
	if bytes.Contains(b, []byte(l.control)) {
		l.seen[kind] = true
	}
	if bytes.HasPrefix(b, []byte("\x1f\x8b")) {
		if z, err := gzip.NewReader(bytes.NewReader(b)); err == nil {
			text, _ := io.ReadAll(z) // as much as there is
			l.look(kind+", unpacked", place, text, allowed...)
		}
	}
	for _, text := range base64Text.FindAll(b, -1) {
		if raw, err := base64.StdEncoding.DecodeString(string(text)); err == nil {
			l.look(kind+", decoded", place, raw, allowed...)
		}
	}
}

// lookIn looks at all files, links and names below a directory. kind returns what a path from there is; "": it is
// not looked at.
func (l *leaks) lookIn(dir string, kind func(path string) string) {
	l.t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		k := kind(filepath.ToSlash(rel))
		if err != nil || k == "" {
			return err
		}
		l.look(k, "called", []byte(rel))
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			l.look(k, rel, []byte(target))
			return err
		case e.Type().IsRegular():
			b, err := os.ReadFile(path)
			l.look(k, rel, b)
			return err
		}
		return nil
	})
	if err != nil {
		l.t.Error(err)
	}
}

// lookAt looks at everything that a relay has received. credentials are what may be in headers, which are
// those of the names.
func (l *leaks) lookAt(r *relay, kind string, credentials map[string]string) {
	l.t.Helper()
	found := map[string]bool{}
	for _, one := range r.all() {
		l.look(kind, one.call, one.body)
		l.look(kind, "the name of a call", []byte(one.call))
		for name, values := range one.headers {
			allowed := ""
			for secret, header := range credentials {
				if strings.EqualFold(header, name) {
					allowed = secret
					text := strings.Join(values, "\n")
					if basic, ok := strings.CutPrefix(text, "Basic "); ok {
						b, _ := base64.StdEncoding.DecodeString(basic)
						text += string(b)
					}
					found[secret] = found[secret] || strings.Contains(text, l.forms[secret][0])
				}
			}
			l.look(kind, "header "+name, []byte(strings.Join(values, "\n")), allowed)
		}
	}
	for secret := range credentials {
		if !found[secret] {
			l.t.Errorf("%s was not shown the credential %q", kind, secret)
		}
	}
}

// secretTasks use secrets of all kinds in all ways. Words in capital letters are replaced.
const secretTasks = `
cache:
  remote: {url: '$CACHE_URL', headers: {x-team: 'team $TEAM_KEY'}}
remote:
  url: '$BUILD_URL'
  headers: {x-farm: 'farm=${FARM_KEY}'}
  profiles: {default: {runner: {file: weft-runner}}}
vars:
  VALUE: {value: 'SECRET_VALUE', secret: true}
  SHELL: {sh: cat token, secret: true}
  DERIVED: 'x{{.VALUE}}x'
  GIVEN: {value: nothing-to-hide, secret: true}
tasks:
  all: {deps: [plain, command, shell, derived, given, environ, inherited, pieces, encoded, literal, named, value, reader, file, step, piped, secret-there, literal-there, env-there, there]}
  plain: {cache: true, sources: [in], generates: [o.plain], cmds: ['cp in o.plain # CONTROL', 'echo CONTROL']}
  command: {cache: true, sources: [in], generates: [o.command], cmds: ['echo {{.VALUE}} >&2; cp in o.command']}
  shell: {cache: true, sources: [in], generates: [o.shell], cmds: ['echo {{.SHELL}}; cp in o.shell']}
  derived: {cache: true, sources: [in], generates: [o.derived], env: {D: '{{.DERIVED}}'}, cmds: ['echo $D; cp in o.derived']}
  given: {cache: true, sources: [in], generates: [o.given], cmds: ['echo {{.GIVEN}}; cp in o.given']}
  environ: {cache: true, sources: [in], env: {ENVIRON: {value: 'SECRET_ENV', secret: true}}, generates: [o.environ], cmds: ['echo $ENVIRON; env | grep -E "WEFT_|_URL|_KEY"; cp in o.environ']}
  inherited: {sources: [in], env: {INHERITED: {value: nothing-to-hide, secret: true}}, generates: [o.inherited], cache: {env: [INHERITED]}, cmds: ['echo $INHERITED; cp in o.inherited']}
  pieces: {cache: true, sources: [in], env: {ENVIRON: {value: 'SECRET_ENV', secret: true}}, generates: [o.pieces], cmds: ['printf %s "${ENVIRON%????}"; printf %s "${ENVIRON#"${ENVIRON%????}"}"; echo; cp in o.pieces']}
  encoded: {cache: true, sources: [in], env: {ENVIRON: {value: 'SECRET_ENV', secret: true}}, generates: [o.encoded], cmds: ['printf %s "$ENVIRON" | base64; cp in o.encoded']}
  literal: {cache: true, sources: [in], generates: [o.literal], cmds: ['echo SECRET_VALUE >/dev/null; cp in o.literal']}
  named: {cache: true, sources: [in, 'none-{{.SHELL}}*'], generates: [o.named], cmds: ['cp in o.named; : o-{{.SHELL}}']}
  value: {cache: true, sources: [in], generates: [], outputs: {token: {}}, cmds: ['echo token={{.VALUE}} >>$WEFT_OUTPUT']}
  reader: {deps: [value], cache: true, sources: [in], generates: [], cmds: ['echo {{output "value" "token"}}']}
  file: {cache: true, sources: [in], generates: [o.file], cmds: ['cp in.file o.file']}
  step: {cache: true, sources: [in], generates: [o.step], cmds: [{cmd: 'cat; cp in o.step', stdin: {text: '{{.VALUE}}'}}]}
  piped: {cache: true, sources: [in], env: {ENVIRON: {value: 'SECRET_ENV', secret: true}}, generates: [o.piped], cmds: [{pipe: ['echo $ENVIRON', 'tee /dev/stderr']}, cp in o.piped]}
  there: {remote: true, sources: [in], generates: [o.there], cmds: ['cp in o.there # CONTROL', 'echo CONTROL; env | grep -E "WEFT_|_URL|_KEY"']}
  secret-there: {remote: true, cache: true, sources: [in], generates: [o.st], cmds: ['echo {{.VALUE}}; cp in o.st']}
  literal-there: {remote: true, sources: [in], generates: [o.lt], cmds: ['echo SECRET_VALUE >/dev/null; cp in o.lt']}
  env-there: {remote: true, sources: [in], generates: [o.et], env: {MINE: {value: 'SECRET_ENV', secret: true}}, cmds: ['echo $MINE; cp in o.et']}
  fails: {cache: true, sources: [in], env: {ENVIRON: {value: 'SECRET_ENV', secret: true}}, generates: [], cmds: ['echo {{.VALUE}} $ENVIRON', 'exit 3 # {{.SHELL}}']}
  fails-there: {remote: true, sources: [in], generates: [], cmds: ['echo CONTROL; exit 3']}
`

// dotenvTasks has a secret that comes from a file of the environment, which all its tasks see.
const dotenvTasks = `
cache: {remote: '$CACHE_URL'}
dotenv: [.env]
tasks:
  dotted: {cache: true, sources: [in], generates: [o.dotted], env: {DOTTED: {value: '{{.IN_DOTENV}}', secret: true}}, cmds: ['echo $DOTTED $IN_DOTENV; cp in o.dotted']}
`

// TestNoLeaks: secrets of tasks and credentials of connections are in nothing that is sent, kept, reported or
// shown, in all ways to use servers, except for the headers that they are for.
func TestNoLeaks(t *testing.T) {
	secrets := map[string]string{
		"value": "hunter2-of-vars", "sh": "hunter2-from+sh", "env": "hunter2-of-env", "dotenv": "hunter2-of-dotenv", "given": "hunter2-given", "inherited": "hunter2-inherited",
		"token": "t0ken-of-variable", "team": "k3y-of-the-team", "farm": "k3y-of-the-farm", "password": "p4ssword-of-url", "helper": "cr3dential-of-helper",
	}
	const control = "to be found everywhere"
	for name, kind := range map[string]struct {
		scheme      string // of the shared cache
		user        string // in its URL
		environ     []string
		helper      string
		credentials map[string]string // headers of the shared cache
	}{
		"gRPC":   {scheme: "grpc", environ: []string{"WEFT_CACHE_TOKEN=" + secrets["token"]}, credentials: map[string]string{"token": "authorization", "team": "x-team"}},
		"HTTP":   {scheme: "http", user: "me:" + secrets["password"] + "@", credentials: map[string]string{"password": "authorization", "team": "x-team"}},
		"helper": {scheme: "http", helper: ", helper: '%workspace%/helper'", credentials: map[string]string{"helper": "authorization", "team": "x-team"}},
	} {
		t.Run(name, func(t *testing.T) {
			k := newTeam(t)
			k.serve("--listen", "unix:"+k.socket, "--log=requests")
			shared, farm := newRelay(t, k.socket), newRelay(t, startWorker(t))
			tasks := strings.NewReplacer("SECRET_VALUE", secrets["value"], "SECRET_ENV", secrets["env"], "CONTROL", control, "}}\nremote:", "}"+kind.helper+"}\nremote:",
				"runner: {file: weft-runner}", "runner: {file: '"+filepath.Join(k.bin, "weft")+"'}").Replace(secretTasks)
			l := newLeaks(t, control, secrets)
			own := map[string]bool{"Taskfile.yml": true, "token": true, ".env": true, "helper": true, "in.file": true, "o.file": true}
			project := func(name, tasks string) *teamCheckout {
				c := k.checkout(name, tasks)
				for file, text := range map[string]string{"token": secrets["sh"] + "\n", ".env": "IN_DOTENV=" + secrets["dotenv"] + "\n", "in.file": "not for others\n",
					"helper": "#!/bin/sh\necho '{\"headers\":{\"Authorization\":[\"Bearer " + secrets["helper"] + "\"]}}'\n"} {
					if err := os.WriteFile(filepath.Join(c.dir, file), []byte(text), 0o755); err != nil {
						t.Fatal(err)
					}
				}
				c.env = append([]string{"HOME=" + c.dir, "PATH=" + os.Getenv("PATH"), "NO_COLOR=1", "CI=true", "INHERITED=" + secrets["inherited"], "TEAM_KEY=" + secrets["team"], "FARM_KEY=" + secrets["farm"],
					"CACHE_URL=" + kind.scheme + "://" + kind.user + map[string]string{"grpc": shared.rpc, "http": shared.web}[kind.scheme] + "/main", "BUILD_URL=grpc://" + farm.rpc + "/main"}, kind.environ...)
				return c
			}
			given := " GIVEN=" + secrets["given"]
			a, b, c := project("a", tasks), project("b", tasks), project("c", dotenvTasks)
			run := func(c *teamCheckout, code int, line string, want ...string) {
				t.Helper()
				out := c.run(code, line)
				l.look("terminal", line, []byte(out))
				c.check(out, line, want...)
			}
			run(a, 0, "WEFT_CACHE_PUSH=1 -v --record --events e --report junit=r.xml --report html=r.html --report markdown=r.md --report trace=r.trace --remote all"+given, " pushed, up ", "1 ran there")
			run(b, 0, "--remote all --record --events e"+given, "hits, ")
			run(a, 0, "--remote=here -f there"+given, control)
			run(a, 201, "--remote=strict -f secret-there"+given, "it uses the secret variable VALUE")
			run(a, 201, "--remote=strict -f literal-there"+given)
			run(a, 201, "--remote=strict -f env-there"+given)
			run(a, 201, "WEFT_CACHE_PUSH=1 --remote fails"+given)
			run(a, 201, "--remote fails-there"+given)
			run(a, 0, "--remote=off -f -o group all"+given)
			run(b, 0, "--cache=push plain command environ"+given, " pushed, ")
			run(c, 0, "WEFT_CACHE_PUSH=1 dotted", "it contains the value of a secret variable")
			for _, line := range []string{"--why all", "--why --json all", "--cache=ls", "--cache=ls --json", "--graph=json all", "--dry all", "--list-all", "--summary all", "--history", "--history=last", "--history --json", "--replay last", "--check --remote -v", "--check --remote --json"} {
				run(a, 0, line+given)
			}
			run(a, 102, "CACHE_URL="+kind.scheme+"s://me:p4ssword/of@host --list", "cache.remote: it is no URL: ", "!p4ssword")
			// Without the servers.
			b.clean()
			run(b, 0, "CACHE_URL="+kind.scheme+"://"+kind.user+"127.0.0.1:1 BUILD_URL=grpc://"+kind.user+"127.0.0.1:1 -v --remote plain there"+given, "weft: cache: 127.0.0.1:1 ", "does not run \"there\"")

			l.lookAt(shared, "what the cache was sent", kind.credentials)
			farmed := map[string]string{"farm": "x-farm"}
			if token := kind.credentials["token"]; token != "" {
				farmed["token"] = token // it is for both
			}
			l.lookAt(farm, "what the workers were sent", farmed)
			l.lookIn(k.home, func(path string) string {
				_, file, _ := strings.Cut(path, "/")
				switch parts := strings.Split(path, "/"); {
				case own[file]:
					return ""
				case parts[0] == "served":
					return "the server's store"
				case len(parts) > 1 && strings.HasPrefix(parts[1], "."):
					return strings.Join(parts[1:min(len(parts)-1, 4)], "/")
				}
				return "file " + filepath.Ext(path)
			})
			for _, place := range []string{"terminal", "what the cache was sent", "what the workers were sent", "the server's store", ".cache/weft/v1", ".weft/runs", "file ", "file .html, decoded, unpacked", "file .trace", "file .xml"} {
				if !l.seen[place] {
					t.Errorf("%s has nothing of what should be there; it is in %v", place, l.seen)
				}
			}
		})
	}
}
