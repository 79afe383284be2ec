package serve

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Real clients are tried when WEFT_CLIENTS is set: they take a minute, and have to be installed.

// client skips the test unless real clients are wanted.
func client(t *testing.T) {
	t.Helper()
	if os.Getenv("WEFT_CLIENTS") == "" {
		t.Skip("real clients are tried with WEFT_CLIENTS=1")
	}
}

// output runs a program in a directory, and returns all that it has written.
func output(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBazel builds, cleans and builds again, by each protocol: the second time everything is there.
func TestBazel(t *testing.T) {
	client(t)
	bazel, err := exec.LookPath("bazel")
	if err != nil {
		t.Skip("bazel is not installed: apt-get install bazel-bootstrap")
	}
	tokens := tokensFile(t)
	home := t.TempDir()
	// Debian's Bazel has no TLS for gRPC: it ends with an error of its own before it connects.
	for name, flags := range map[string][]string{
		"grpc": {"--remote_cache=grpc://ADDRESS", "--remote_instance_name=main", "--remote_header=authorization=Bearer " + writeToken},
		"http": {"--remote_cache=http://anybody:" + writeToken + "@ADDRESS/main"},
	} {
		t.Run(name, func(t *testing.T) {
			r := startRig(t, "--tokens", tokens)
			dir := t.TempDir()
			writeFiles(t, dir, map[string]string{"WORKSPACE": "", "BUILD": `
genrule(name = "small", outs = ["small.txt"], cmd = "echo small > $@")
genrule(name = "large", srcs = ["small.txt"], outs = ["large.bin"], cmd = "head -c 9000000 /dev/zero > $@; cat $< >> $@")
`})
			run := func(args ...string) string {
				t.Helper()
				env := append(os.Environ(), "HOME="+home)
				return output(t, dir, env, bazel, append([]string{"--batch", "--output_user_root=" + filepath.Join(home, "root"), "--host_jvm_args=-Xmx300m"}, args...)...)
			}
			build := []string{"build", "--spawn_strategy=local", "--genrule_strategy=local", "--color=no"}
			for _, flag := range flags {
				build = append(build, strings.ReplaceAll(flag, "ADDRESS", r.address))
			}
			build = append(build, "//:small", "//:large")
			if out := run(build...); !strings.Contains(out, "2 local") {
				t.Errorf("the first time: %s", out)
			}
			run("clean")
			if out := run(build...); !strings.Contains(out, "2 remote cache hit") {
				t.Errorf("the second time: %s", out)
			}
		})
	}
}

// moon returns the path of moon, which npm installs once.
func moon(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	dir := filepath.Join(cache, "weft-ci", "moon-2.5.5")
	path := filepath.Join(dir, "node_modules", ".bin", "moon")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("npm", "install", "--no-audit", "--no-fund", "--prefix", dir, "@moonrepo/cli@2.5.5")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("moon cannot be installed: npm install @moonrepo/cli: %v: %s", err, out)
	}
	return path
}

// TestMoon runs a task, forgets what it made and runs it again, by each protocol.
func TestMoon(t *testing.T) {
	client(t)
	moon := moon(t)
	for _, api := range []string{"grpc", "http"} {
		t.Run(api, func(t *testing.T) {
			r := startRig(t)
			dir := t.TempDir()
			var env []string
			for _, kv := range os.Environ() {
				if !strings.HasPrefix(kv, "CI=") { // moon does not use caches on this machine in CI
					env = append(env, kv)
				}
			}
			writeFiles(t, dir, map[string]string{
				".moon/workspace.yml": fmt.Sprintf("projects: [app]\nremote: {api: %s, host: '%s://%s'}\n", api, api, r.address),
				"app/moon.yml": `
language: bash
tasks:
  build:
    command: 'sh -c "mkdir -p out/sub && echo first > out/a && echo second > out/sub/b"'
    inputs: [in]
    outputs: [out]
`,
				"app/in": "in\n",
			})
			for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {"-c", "user.name=w", "-c", "user.email=w@example.com", "commit", "-qm", "x"}} {
				output(t, dir, env, "git", args...)
			}
			if out := output(t, dir, env, moon, "run", "app:build"); strings.Contains(out, "cached") {
				t.Errorf("the first time: %s", out)
			}
			for _, gone := range []string{"app/out", ".moon/cache"} {
				if err := os.RemoveAll(filepath.Join(dir, gone)); err != nil {
					t.Fatal(err)
				}
			}
			if out := output(t, dir, env, moon, "run", "app:build"); !strings.Contains(out, "cached from remote") {
				t.Errorf("the second time: %s", out)
			}
			if b, err := os.ReadFile(filepath.Join(dir, "app/out/sub/b")); err != nil || string(b) != "second\n" {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
}
