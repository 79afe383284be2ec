//go:build unix

package main

import (
	"os"
	"path/filepath"
	"testing"
)

const downloadTasks = `
remote:
  download: toplevel
  profiles:
    lossy: {platform: {test: lose}}
    dying: {platform: {test: die}}
tasks:
  gen:
    remote: true
    sources: [in]
    generates: [gen/a, gen/tool]
    cmd: mkdir -p gen; cp in gen/a; printf '#!/bin/sh\ncat "$1"\n' >gen/tool; chmod 755 gen/tool
  mid: {deps: [gen], remote: true, sources: ['gen/**'], generates: [mid/b], cmd: mkdir -p mid; gen/tool gen/a >mid/b; echo made mid}
  top: {deps: [mid], remote: true, sources: ['mid/*'], generates: [top.txt], cmd: cp mid/b top.txt}
  wrapped: {cmds: [{task: top}]}
  called: {cmds: [{task: top}, cat gen/a]}
  here: {deps: [mid], cmd: cat gen/a mid/b}
  kept: {deps: [mid], sources: [gen/a, mid/b], generates: [k.txt], cmd: cat gen/a mid/b >k.txt}
  tested: {deps: [mid], remote: true, preconditions: [test -x gen/tool], sources: [mid/b], generates: [], cmd: cat mid/b}
  ignoring: {deps: [gen], remote: true, use_gitignore: true, sources: ['gen/*'], generates: [], cmd: cat gen/a}
  secret: {deps: [gen], remote: true, sources: ['gen/*'], generates: [x.txt], cmds: ['cat gen/a >x.txt', {defer: 'test -n "EXIT_CODE" && cat x.txt'}]}
  braces: {deps: [gen], remote: true, sources: ['{gen/a,in}'], generates: [], cmd: cat gen/a in}
  unbraced: {deps: [gen], remote: true, sources: ['gen/*', in, exclude: '{gen/a,in}'], generates: [], cmds: [ls, ls gen]}
  link: {remote: true, sources: [in], generates: [links/*], cmd: mkdir links; cp in links/a; ln -s a links/b}
  links: {deps: [link], remote: true, sources: ['links/*'], generates: [], cmd: cat links/b}
  lossy: {deps: [mid], remote: lossy, sources: ['gen/*', 'mid/*'], generates: [l.txt], cmd: cat gen/a mid/b >l.txt}
  dying: {deps: [mid], remote: dying, sources: ['gen/*', 'mid/*'], generates: [d.txt], cmd: cat gen/a mid/b >d.txt}
`

// TestRemoteDownload: outputs stay on the server until something here needs them.
func TestRemoteDownload(t *testing.T) {
	k := newFarm(t)
	a := k.project("a", downloadTasks)
	all := []string{"gen/a", "gen/tool", "mid/b", "top.txt"}
	has := func(files ...string) {
		t.Helper()
		for _, f := range all {
			if _, err := os.Stat(filepath.Join(a.dir, f)); (err == nil) != (len(files) > 0 && files[0] == f) {
				t.Errorf("%s: %v; wanted are %q", f, err, files)
			} else if err == nil {
				files = files[1:]
			}
		}
	}
	edit := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(a.dir, "in"), []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	content := func(file, want string) {
		t.Helper()
		if got, err := os.ReadFile(filepath.Join(a.dir, file)); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v, want %q", file, got, err, want)
		}
	}

	out := a.run(0, "-v --remote=strict top")
	k.wants(out, "made mid\n", "3 ran there", "!matches no file")
	has("top.txt")
	content("top.txt", "1\n")
	k.wants(a.run(0, "--remote=strict top"), "0 ran there, 2 from the cache") // one is in the cache here
	has("top.txt")
	// What is here is what is there, or is not here.
	k.wants(a.run(0, "--remote=strict --remote-download=all top"), "0 ran there")
	has(all...)
	k.wants(a.run(0, "--remote=strict top"), `"top" is up to date`, "!ran there")
	edit("2")
	k.wants(a.run(0, "--remote=strict wrapped"), "3 ran there") // the tool is the same
	has("gen/tool", "top.txt")
	content("top.txt", "2\n")
	edit("3")
	k.wants(a.run(0, "WEFT_REMOTE_DOWNLOAD=none --remote=strict top"), "3 ran there")
	has("gen/tool")

	// What runs here gets everything.
	edit("4")
	k.wants(a.run(0, "--remote=strict here"), "4\n4\n", "2 ran there")
	has("gen/a", "gen/tool", "mid/b")
	edit("5")
	k.wants(a.run(0, "--remote=strict tested"), "5\n", "3 ran there")
	edit("6")
	k.wants(a.run(0, "--remote=strict called"), "6\n", "3 ran there")
	edit("7")
	k.wants(a.run(0, "--remote=strict ignoring"), "7\n", "2 ran there")
	edit("8")
	k.wants(a.run(0, "--remote secret"), "8\n", "its defer uses EXIT_CODE", "1 ran there")
	k.wants(a.run(0, "--remote=strict links"), "8\n", "2 ran there")
	edit("9")
	k.wants(a.run(0, "--remote=strict --remote-download=none top here"), "9\n9\n") // the one before must not miss anything

	// What was fetched, and what was made here from it, is up to date.
	edit("14")
	k.wants(a.run(0, "--remote=strict kept"), "2 ran there")
	content("k.txt", "14\n14\n")
	k.wants(a.run(0, "-v --remote=strict kept"), `"gen" is up to date`, `"mid" is up to date`, `"kept" is up to date`, "!ran there")

	// An alternative that is elsewhere is not missing.
	edit("12")
	k.wants(a.run(0, "--remote=strict braces"), "12\n12\n", "2 ran there")
	edit("13")
	k.wants(a.run(0, "--remote=strict unbraced"), "gen\ntool\n", "2 ran there")

	// What is lost is made again.
	edit("10")
	k.wants(a.run(0, "--remote=strict lossy"), "4 ran there")
	content("l.txt", "10\n10\n")
	edit("11")
	k.wants(a.run(0, "--remote dying"), "weft: [dying] mkdir -p gen", "running everything here")
	content("d.txt", "11\n11\n")

	k.wants(a.run(1, "--remote --remote-download=some top"), "--remote-download, or WEFT_REMOTE_DOWNLOAD: all, toplevel or none is expected")
}
