package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/weftrun/weft/cmd/weft/remotefile"
	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// pin handles --pin: it writes the checksum of every remote file that a local file includes
// into that file, if it is missing or differs. It first asks the user about files that are
// not trusted yet.
func (a *app) pin(ctx context.Context) int {
	load, problem := a.loadOptions(&a.opts)
	if problem != nil {
		return a.fail(problem)
	}
	includes, root, list := schema.RemoteIncludes(ctx, load)
	if err := list.Err(); err != nil {
		return a.fail(err)
	}
	files := make([]schema.RemoteFile, len(includes))
	for i, in := range includes {
		files[i] = schema.RemoteFile{URL: in.URL, Pos: in.Pos}
	}
	o := a.remoteOptions()
	o.ShowFirst = true
	o.Fetch = a.secondProgram(root).Taskfile
	var problems diag.List
	var said []string
	contents := remotefile.New(o).Open(ctx, root, files)
	for i := len(contents) - 1; i >= 0; i-- { // backwards, so that earlier positions remain valid
		in, c := &includes[i], contents[i]
		switch sum := remotefile.Checksum(c.Source); {
		case c.Problem != nil:
			c.Problem.Pos = in.Pos
			problems.Add(c.Problem)
		case sum != in.Checksum:
			if err := pinOne(in, sum); err != nil {
				return a.fail(err)
			}
			text := fmt.Sprintf("%s: include %q is pinned to %s", in.Pos, in.Name, sum)
			if in.Short {
				text += "; it is now written as a map, so its variables are no longer global"
			}
			said = append(said, text)
		}
	}
	for _, text := range slices.Backward(said) {
		a.say(a.err, report.Green, diag.Printable(text))
	}
	if err := problems.Err(); err != nil {
		return a.fail(err)
	}
	if len(said) == 0 {
		a.say(a.err, report.Green, fmt.Sprintf("nothing to pin: the checksums of %d included remote Taskfiles are up to date", len(includes)))
	}
	return 0
}

// pinOne writes one checksum into the file that includes it.
func pinOne(in *schema.RemoteInclude, sum string) error {
	path, err := filepath.EvalSymlinks(in.Pos.File.Path)
	if err != nil {
		return err
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	edited, err := in.Pin(string(source), sum)
	if err != nil {
		return err
	}
	return replaceFile(path, edited)
}

// replaceFile replaces the content of a file atomically.
func replaceFile(path, text string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	for _, step := range [...]func() error{func() error { return f.Chmod(info.Mode().Perm()) }, f.Sync, f.Close} {
		if e := step(); err == nil {
			err = e
		}
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
