package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/weftrun/weft/engine/proc"
)

// helper runs a program of the system for weft's own use, with input as its stdin; its output is
// dropped. It is killed after limit. found is false if it is not in an absolute directory of PATH.
func (a *app) helper(limit time.Duration, input []byte, name string, args ...string) (found bool, err error) {
	path := a.lookHelper(name)
	if path == "" {
		return false, nil
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return true, err
	}
	defer null.Close()
	in := null
	if input != nil {
		r, w, err := os.Pipe()
		if err != nil {
			return true, err
		}
		defer r.Close()
		in = r
		go func() {
			w.Write(input) // a program may ignore its input
			w.Close()
		}()
	}
	table := proc.NewTable(proc.Options{Environ: a.environ})
	defer table.Close(false)
	group := table.NewGroup(proc.GroupOptions{Name: name})
	defer group.Close()
	p, err := group.Start(&proc.Spec{Path: path, Argv: append([]string{name}, args...), Env: a.environ, Stdin: in, Stdout: null, Stderr: null})
	if err != nil {
		return true, err
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), limit, fmt.Errorf("%s took longer than %s", name, limit))
	defer cancel()
	defer context.AfterFunc(ctx, func() { group.Kill(context.Cause(ctx)) })()
	status, err := p.Wait()
	switch {
	case ctx.Err() != nil:
		return true, context.Cause(ctx)
	case err == nil && status.Code != 0:
		return true, fmt.Errorf("%s ended with exit status %d", name, status.Code)
	}
	return true, err
}

// lookHelper returns the path of a program in an absolute directory of PATH, or "".
func (a *app) lookHelper(name string) string {
	for _, dir := range filepath.SplitList(a.env("PATH")) {
		path := filepath.Join(dir, name)
		if st, err := os.Stat(path); filepath.IsAbs(dir) && err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}
