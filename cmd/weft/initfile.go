package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/schema/diag"
)

// template is the file written by --init.
const template = `# Run "weft" for the task default, "weft --list" for all of them.
version: '3'

vars:
  GREETING: Hello, world!

tasks:
  default:
    desc: Say hello
    silent: true
    cmds:
      - echo "{{.GREETING}}"

  build:
    desc: Make out.txt, unless it is newer than its sources
    sources: ['*.md']
    generates: [out.txt]
    cmds:
      - wc -l *.md > out.txt
`

// existsError is the error of --init for a file that exists.
type existsError struct{}

func (existsError) Error() string { return "A Taskfile already exists" }

// init handles --init. The argument is a directory, a file, or the extension of the usual
// name.
func (a *app) initFile() int {
	arg := a.firstCall()
	name := filepath.Clean(arg)
	if info, err := os.Stat(name); arg == "" || err == nil && info.IsDir() {
		name = filepath.Join(name, "Taskfile.yml")
	} else if ext := filepath.Ext(name); ext == name && (ext == ".yml" || ext == ".yaml") {
		name = "Taskfile" + ext
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return a.fail(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	switch {
	case os.IsExist(err):
		return a.fail(existsError{})
	case err != nil:
		return a.fail(err)
	}
	_, err = f.WriteString(template)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return a.fail(err)
	}
	if !a.opts.silent {
		a.paint(a.out, report.Green, "Taskfile created: "+diag.Printable(strings.TrimPrefix(name, "./"))+"\n")
	}
	return 0
}
