//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// startFakes starts the fake server of the SDK for remote execution, until the test ends, and returns its URL.
func startFakes(t *testing.T) (url string) {
	t.Helper()
	dir := t.TempDir()
	source, err := txtar.ParseFile("testdata/sdkfakes.txtar")
	if err == nil {
		err = txtar.Write(source, dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", ".")
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	switch out, err := build.CombinedOutput(); {
	case err == nil:
	case strings.Contains(string(out), "go mod tidy") || strings.Contains(string(out), "main.go"): // not the error of a missing network
		t.Fatalf("%v\n%s", err, out)
	default:
		t.Skipf("the modules of the SDK cannot be had: %v\n%s", err, out)
	}
	address := started(t, exec.Command(filepath.Join(dir, "fakes")), func(error) {})
	return "grpc://" + strings.TrimSpace(address) + "/instance" // the only one that it knows
}

// TestSDKFakes: the fake server that the authors of the API publish is a shared cache, with files of all sizes. It
// takes no batch above its limit, no call for another instance, and nothing whose digest is wrong.
func TestSDKFakes(t *testing.T) {
	k := newTeam(t)
	url := startFakes(t)
	tasks := `
tasks:
  all: {deps: [build, small, large]}
  build: {cache: true, sources: [in], generates: [out], cmds: [cp in out, echo log]}
  small: {cache: true, sources: [in], generates: ['s/*'], cmd: 'mkdir s; for i in $(seq 300); do echo $i >s/$i; done; : >s/empty; ln -s 1 s/link; chmod 755 s/2'}
  large: {cache: true, sources: [in], generates: ['l/*'], cmd: mkdir l; head -c 5000000 /dev/zero >l/a; for i in $(seq 9); do head -c 900000 /dev/zero >l/$i; echo $i >>l/$i; done}
`
	a, b := k.checkout("a", tasks), k.checkout("b", tasks)
	for _, c := range []*teamCheckout{a, b} {
		c.env = append(c.env, "WEFT_CACHE_REMOTE="+url)
	}
	a.want("WEFT_CACHE_PUSH=1 all", "0 hits, 3 misses, 3 pushed, ", "!warning")
	for range 2 {
		b.want("all", "log\n", "3 hits, 0 misses, 0 pushed, up 0 B, ", "!warning")
		for _, dir := range []string{"s", "l"} {
			if out, err := exec.Command("diff", "-r", filepath.Join(a.dir, dir), filepath.Join(b.dir, dir)).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if err := os.RemoveAll(filepath.Join(b.dir, dir)); err != nil {
				t.Fatal(err)
			}
		}
		b.clean()
	}
	// What it cannot do is done here.
	c := k.project("c", "tasks: {build: {remote: true, sources: [in], generates: [out], cmd: cp in out}}\n")
	c.env = append(c.env, "WEFT_REMOTE_URL="+url)
	c.want("--remote build", `does not run "build" (`, "running it here")
	c.run(201, "-f --remote=strict build")
}
