package fetch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/internal/tail"
)

// command is a git command.
type command struct {
	args    []string
	environ []string // in addition to that of all git commands
	hide    []string // texts that an error must not contain
}

// maxOutput is the maximum output of git that is kept, in bytes.
const maxOutput = 8 << 10

// git runs a command and returns the end of its output. The error is a *channel.Error, or the
// cause of ctx.
func (r *Room) git(ctx context.Context, c command) (string, error) {
	p, err := r.startGit(ctx, c.args, c.environ, nil)
	if err != nil {
		return "", err
	}
	end := tail.Buffer{Max: maxOutput}
	p.reading.Go(func() { io.Copy(&end, p.out) })
	status, err := p.wait()
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		return "", cannotStart(err)
	case status.Code != 0:
		return "", gitFailure(printed(&p.errors), c.hide)
	}
	return printed(&end), nil
}

// process is a running git.
type process struct {
	group   *proc.Group
	p       *proc.Process
	out     *os.File // must be read by the caller of startGit
	errOut  *os.File
	errors  tail.Buffer    // the end of errOut
	reading sync.WaitGroup // the goroutines that read out and errOut
	done    func() bool    // stops watching the context
}

// errDropped is the cause of killing a git that no request waits for.
var errDropped = errors.New("the fetch was cancelled")

// startGit starts git. input is its standard input, or nil.
func (r *Room) startGit(ctx context.Context, args, environ []string, input *os.File) (*process, error) {
	path, err := findGit(r.environ)
	if err != nil {
		return nil, err
	}
	out, outEnd, err := os.Pipe()
	if err != nil {
		return nil, cannotStart(err)
	}
	defer outEnd.Close()
	errOut, errEnd, err := os.Pipe()
	if err != nil {
		out.Close()
		return nil, cannotStart(err)
	}
	defer errEnd.Close()
	p := &process{group: r.table.NewGroup(proc.GroupOptions{Name: "git"}), out: out, errOut: errOut, errors: tail.Buffer{Max: maxOutput}}
	p.p, err = p.group.Start(&proc.Spec{
		Path: path, Argv: append([]string{"git"}, args...), Env: gitEnviron(r.environ, environ),
		Stdin: input, Stdout: outEnd, Stderr: errEnd, Confirm: true,
	})
	if err != nil {
		out.Close()
		errOut.Close()
		return nil, cannotStart(err)
	}
	p.done = context.AfterFunc(ctx, func() { p.group.Kill(errDropped) })
	p.reading.Go(func() { io.Copy(&p.errors, errOut) })
	return p, nil
}

func cannotStart(err error) *channel.Error {
	return &channel.Error{Kind: channel.Git, Text: "git cannot be started: " + err.Error()}
}

// outputAfter is how long output is read after git has ended, if a background process holds
// it open.
const outputAfter = 200 * time.Millisecond

// wait waits for the end of git and of its output.
func (p *process) wait() (proc.Status, error) {
	status, err := p.p.Wait()
	p.done()
	for _, f := range [...]*os.File{p.out, p.errOut} {
		f.SetReadDeadline(time.Now().Add(outputAfter))
		defer f.Close()
	}
	p.reading.Wait()
	p.group.Close()
	return status, err
}

// printed returns the end of git's output, as text.
func printed(end *tail.Buffer) string { return string(bytes.ToValidUTF8(end.Bytes(), nil)) }

// findGit looks for git in the absolute directories of PATH. A relative one would belong to
// the project.
func findGit(environ []string) (string, error) {
	names := []string{"git"}
	if runtime.GOOS == "windows" {
		names = []string{"git.exe"}
	}
	for _, dir := range filepath.SplitList(lookup(environ, "PATH")) {
		for _, name := range names {
			path := filepath.Join(dir, name)
			info, err := os.Stat(path)
			if filepath.IsAbs(dir) && err == nil && info.Mode().IsRegular() && (runtime.GOOS == "windows" || info.Mode()&0o111 != 0) {
				return path, nil
			}
		}
	}
	return "", &channel.Error{Kind: channel.Git, Text: "there is no git in the directories of PATH: install it"}
}

func lookup(environ []string, name string) string {
	for i := len(environ) - 1; i >= 0; i-- {
		if k, v, _ := strings.Cut(environ[i], "="); k == name || runtime.GOOS == "windows" && strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// gitEnviron returns the environment of git: weft's own and more. It removes variables that
// select another repository, accept invalid certificates or make git verbose, and adds some
// that keep git from asking and from using the machine's attributes. The user's configuration
// of credentials, proxies and ssh applies.
func gitEnviron(environ, more []string) []string {
	set := append([]string{
		"GIT_ALLOW_PROTOCOL=https:ssh", "GIT_PROTOCOL_FROM_USER=0", "GIT_TERMINAL_PROMPT=0", "GIT_ATTR_NOSYSTEM=1",
		"GIT_NO_REPLACE_OBJECTS=1", "GIT_NO_LAZY_FETCH=1", "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C", "LANGUAGE=",
		"SSH_ASKPASS_REQUIRE=force", // ssh must not ask on the terminal, only by a window
	}, more...)
	if lookup(environ, "SSH_ASKPASS") == "" {
		set = append(set, "SSH_ASKPASS=false")
	}
	names := make(map[string]bool, len(set)+len(notForGit))
	for _, name := range notForGit {
		names[name] = true
	}
	var out []string
	for _, kv := range slices.Backward(slices.Concat(environ, set)) { // the last entry of a name counts
		name, _, _ := strings.Cut(kv, "=")
		if !names[name] && !strings.HasPrefix(name, "GIT_TRACE") {
			names[name] = true
			out = append(out, kv)
		}
	}
	return out
}

// notForGit are variables that would make git work on something else.
var notForGit = [...]string{
	"GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
	"GIT_NAMESPACE", "GIT_PREFIX", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE", "GIT_REPLACE_REF_BASE", "GIT_CEILING_DIRECTORIES",
	"GIT_INTERNAL_SUPER_PREFIX", "GIT_IMPLICIT_WORK_TREE", "GIT_TEMPLATE_DIR", "GIT_SSL_NO_VERIFY", "GIT_CURL_VERBOSE",
	"GIT_DEFAULT_HASH", "GIT_QUARANTINE_PATH",
}
