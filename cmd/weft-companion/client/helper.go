package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/internal/tail"
)

const (
	helperLimit    = 10 * time.Second
	helperKept     = 30 * time.Minute // headers whose end the helper does not tell
	maxHelper      = 64 << 10         // bytes of its answer
	maxHelperError = 2 << 10
)

// helper is a credential helper of Bazel's protocol: a program that is given the URL of a server,
// and answers with headers.
type helper struct {
	table *proc.Table
	path  string
	uri   string
}

// errNotForHost means that a helper is bound to other hosts.
var errNotForHost = errors.New("the credential helper is for other hosts")

// newHelper returns the helper that a text names: PROGRAM or PATTERN=PROGRAM, where the program is an
// absolute path, %workspace%/PATH, or a name that is looked for in PATH.
func newHelper(text string, a *address, root string, environ []string, table *proc.Table) (*helper, error) {
	if pattern, program, ok := strings.Cut(text, "="); ok && !strings.ContainsAny(pattern, `/\%`) {
		if !matchHost(pattern, a) {
			return nil, errNotForHost
		}
		text = program
	}
	rest, inRoot := strings.CutPrefix(text, "%workspace%")
	h := &helper{table: table, uri: a.url()}
	switch {
	case inRoot && strings.HasPrefix(rest, "/") && filepath.IsAbs(root):
		h.path = filepath.Join(root, filepath.FromSlash(rest))
	case filepath.IsAbs(text):
		h.path = text
	case text == "" || strings.ContainsAny(text, `/\%`):
		return nil, fmt.Errorf("the credential helper %.100q is no absolute path, %%workspace%%/PATH or name of a program", text)
	default:
		if h.path = findProgram(text, environ); h.path == "" {
			return nil, fmt.Errorf("the credential helper %.100q is not in a directory of PATH", text)
		}
	}
	return h, nil
}

// matchHost reports whether a pattern, HOST or *.DOMAIN, matches the host of an address.
func matchHost(pattern string, a *address) bool {
	host := strings.ToLower(a.host[:max(0, strings.LastIndexByte(a.host, ':'))])
	pattern = strings.ToLower(pattern)
	if domain, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasPrefix(domain, ".") && strings.HasSuffix(host, domain)
	}
	return host == pattern
}

// findProgram looks for a program in the absolute directories of PATH. A relative one would belong
// to the project.
func findProgram(name string, environ []string) string {
	names := []string{name}
	if runtime.GOOS == "windows" {
		names = []string{name + ".exe", name}
	}
	for _, dir := range filepath.SplitList(lookup(environ, "PATH")) {
		for _, name := range names {
			path := filepath.Join(dir, name)
			info, err := os.Stat(path)
			if filepath.IsAbs(dir) && err == nil && info.Mode().IsRegular() && (runtime.GOOS == "windows" || info.Mode()&0o111 != 0) {
				return path
			}
		}
	}
	return ""
}

// errHelperLate is the cause of killing a helper.
var errHelperLate = errors.New("it has not answered within 10 seconds")

// get runs the helper. expires is set even if it fails: it is not asked again before. The error may
// hold what the helper has printed.
func (h *helper) get(ctx context.Context) (headers []channel.Header, expires time.Time, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, helperLimit, errHelperLate)
	defer cancel()
	out, err := h.run(ctx)
	now := time.Now()
	if err == nil {
		headers, expires, err = parseHelper(out, now)
	}
	if err != nil {
		return nil, now.Add(helperKept), err
	}
	return headers, expires, nil
}

// run runs the program, and returns its standard output.
func (h *helper) run(ctx context.Context) ([]byte, error) {
	question, err := json.Marshal(map[string]string{"uri": h.uri})
	if err != nil {
		return nil, err
	}
	in, inEnd, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	out, outEnd, err := os.Pipe()
	if err != nil {
		inEnd.Close()
		return nil, err
	}
	defer out.Close()
	errOut, errEnd, err := os.Pipe()
	if err != nil {
		inEnd.Close()
		outEnd.Close()
		return nil, err
	}
	defer errOut.Close()
	group := h.table.NewGroup(proc.GroupOptions{Name: "credential helper"})
	p, err := group.Start(&proc.Spec{Path: h.path, Argv: []string{h.path, "get"}, Stdin: in, Stdout: outEnd, Stderr: errEnd, Confirm: true})
	outEnd.Close()
	errEnd.Close()
	if err != nil {
		inEnd.Close()
		group.Close()
		return nil, fmt.Errorf("it cannot be started: %w", err)
	}
	inEnd.Write(append(question, '\n')) // less than a pipe holds
	inEnd.Close()
	stop := context.AfterFunc(ctx, func() { group.Kill(context.Cause(ctx)) })
	var answer []byte
	problem := tail.Buffer{Max: maxHelperError}
	var reading sync.WaitGroup
	reading.Go(func() {
		answer, _ = io.ReadAll(io.LimitReader(out, maxHelper+1))
		io.Copy(io.Discard, out)
	})
	reading.Go(func() { io.Copy(&problem, errOut) })
	status, err := p.Wait()
	stop()
	for _, f := range [...]*os.File{out, errOut} { // a process that it has left behind may hold them
		f.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	}
	reading.Wait()
	group.Close()
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, err
	case status.Code != 0:
		return nil, fmt.Errorf("it ended with status %d: %s", status.Code, strings.TrimSpace(string(problem.Bytes())))
	}
	return answer, nil
}

// parseHelper reads the answer of a helper. expires is when it must be asked again.
func parseHelper(out []byte, now time.Time) (headers []channel.Header, expires time.Time, err error) {
	if len(out) > maxHelper {
		return nil, expires, fmt.Errorf("its answer has more than %d KiB", maxHelper>>10)
	}
	var a struct {
		Headers map[string][]string `json:"headers"`
		Expires string              `json:"expires"`
	}
	if json.Unmarshal(out, &a) != nil {
		return nil, expires, errors.New(`its answer is not {"headers": {"NAME": ["VALUE"]}}`)
	}
	for name, values := range a.Headers {
		if err := checkHeaderName(name); err != nil {
			return nil, expires, err
		}
		for _, v := range values {
			if strings.ContainsFunc(v, notInHeaders) {
				return nil, expires, fmt.Errorf("the value of the header %s cannot be sent", name)
			}
			headers = append(headers, channel.Header{Name: strings.ToLower(name), Value: v})
		}
	}
	expires = now.Add(helperKept)
	if a.Expires != "" {
		if expires, err = time.Parse(time.RFC3339, a.Expires); err != nil {
			return nil, expires, errors.New("the time when its answer expires is not as RFC 3339 has it")
		}
	}
	return headers, expires, nil
}
