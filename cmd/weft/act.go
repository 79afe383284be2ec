package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/remote"
	"github.com/weftrun/weft/internal/fifo"
	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/internal/version"
)

// act performs the act in the file named by the second argument: the program is the runner of a step
// on a worker, and its flags are not read. See package remote for what it says.
func (a *app) act(ctx context.Context, s *signals) int {
	os.Stderr.WriteString(remote.Greeting)
	ended := false // the commands have, well or not
	code := 0
	e, err := a.newAct(ctx, a.args[1], func(marks []cache.Mark, err error) {
		ended = true
		if err != nil {
			os.Stderr.WriteString(remote.Reason(printableError(err)))
			if code = executor.ExitCode(err); code == 0 {
				code = exitOther
			}
		}
		os.Stderr.WriteString(remote.LogLine(marks))
	})
	if err == nil {
		s.route(e)
		s.await()
		err = e.Run(ctx, engine.ActCalls())
	}
	if ended {
		return code
	}
	if err == nil {
		err = errors.New("it has not begun")
	}
	os.Stderr.WriteString(remote.Reason(fmt.Sprintf("%s cannot be performed by this weft (%s): %s", a.args[1], remote.Marker, printableError(err))))
	return remote.Unable
}

// newAct returns the engine for the act in a file.
func (a *app) newAct(ctx context.Context, file string, ended func([]cache.Mark, error)) (*engine.Engine, error) {
	b, err := fifo.ReadRegular(file, cache.MaxAct, limit.Bytes("it", cache.MaxAct))
	if err != nil {
		return nil, err
	}
	act, err := cache.DecodeWholeAct(b)
	if err != nil {
		return nil, err
	}
	wd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	return engine.NewAct(ctx, act, wd, engine.Options{
		Environ: a.actEnviron(), UserDir: wd, Exe: a.exe, Version: version.Module, Argv: a.args,
		Stdout: os.Stdout, Sink: showAct, Wants: event.Wants{Output: true}, NoCache: true,
	}, ended)
}

// actEnviron returns the environment of the commands: that of the program, and what few programs
// work without.
func (a *app) actEnviron() []string {
	environ := slices.Clone(a.environ)
	for _, v := range [...][2]string{{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"HOME", os.TempDir()}, {"TMPDIR", os.TempDir()}} {
		if a.env(v[0]) == "" {
			environ = append(environ, v[0]+"="+v[1])
		}
	}
	return environ
}

// showAct writes the output of the commands to standard output, and warnings to standard error. If
// standard output cannot be written to, the commands still run: a success has its log in its result.
func showAct(ev event.Event) {
	switch ev := ev.(type) {
	case *event.Output:
		os.Stdout.Write(ev.Data)
		if ev.Release != nil {
			ev.Release()
		}
	case *event.DiagnosticFound:
		os.Stderr.WriteString(remote.Reason("warning: " + printableError(ev.Diagnostic)))
	}
}
