package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/remote"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// remoteMode returns whether the tasks of w run on a server in this run.
func (a *app) remoteMode(w *schema.Workflow) (schema.RemoteMode, error) {
	o := &a.opts
	if a.dropIn() || o.dry || o.inspects() || o.audited {
		return schema.RemoteOff, nil
	}
	var mode schema.RemoteMode
	server := ""
	if w.Remote != nil {
		mode, server = w.Remote.Mode, w.Remote.Server.URL.S
	}
	switch o.elsewhere {
	case "off", "here":
		return schema.RemoteOff, nil
	case "auto", "strict":
		mode = schema.RemoteMode(o.elsewhere)
		if server == "" {
			return mode, fmt.Errorf("%s: --remote=%s: %s: %s", a.name, mode, schema.NoServer, schema.NoServerFix)
		}
	}
	switch {
	case server == "": // the environment says so
		return schema.RemoteOff, nil
	case o.remote.Offline && mode == schema.RemoteStrict:
		return mode, fmt.Errorf("%s: --offline: remote.mode is strict, which needs a server: use --remote=off", a.name)
	case o.remote.Offline:
		return schema.RemoteOff, nil
	}
	return mode, nil
}

// useRemote makes the tasks of a run of w that are to run on a server do so.
func (r *runner) useRemote(w *schema.Workflow, run string) error {
	a, o := r.app, &r.opts
	mode, err := a.remoteMode(w)
	if mode == schema.RemoteOff || err != nil {
		return err
	}
	jobs := w.Remote.Jobs
	if o.remoteJobs != "" {
		if jobs, err = schema.ParseJobs(o.remoteJobs); err != nil {
			return fmt.Errorf("%s: --remote-jobs, or WEFT_REMOTE_JOBS: %w", a.name, err)
		}
	}
	download := w.Remote.Download
	if o.remoteDownload != "" {
		if download, err = schema.ParseDownload(o.remoteDownload); err != nil {
			return fmt.Errorf("%s: --remote-download, or WEFT_REMOTE_DOWNLOAD: %w", a.name, err)
		}
	}
	if o.watch {
		download = schema.DownloadAll // what is changed here must not be older than what is elsewhere
	}
	dir, err := a.serverDir()
	if err != nil {
		return err
	}
	disk, err := cache.Open(dir)
	if err != nil {
		return err
	}
	r.remoteDisk = disk
	q := connection(&w.Remote.Server, disk.Path(), run)
	q.Remote = true
	r.server = remote.NewServer(remote.ServerOptions{
		Workflow: w, Disk: disk, Strict: mode == schema.RemoteStrict, Jobs: jobs, Download: download, Anew: o.noCache || o.refresh, Keep: !o.noCache,
		Secret: func(message []byte) bool { return a.secrets.Contains(string(message)) },
	}, func(connected func(*channel.Connection)) remote.Client {
		return a.secondProgram(w.Dir).Server(q, connected)
	})
	r.options.Remote = r.server
	return nil
}

// connection returns the request that connects to a server. local is the directory of the local cache.
//
//go:noinline
func connection(c *schema.Connection, local, run string) *channel.ConnectRequest {
	q := &channel.ConnectRequest{
		URL: c.URL.S, Helper: c.Helper.S, CA: c.CA.S, Cert: c.Cert.S, Key: c.Key.S, ServerName: c.ServerName.S, Insecure: c.Insecure,
		Local: local, Run: run,
	}
	for _, h := range c.Headers {
		q.Headers = append(q.Headers, channel.Header{Name: h.Name, Value: h.Value.S})
	}
	return q
}

// closeRemote shows what the server has done for the run.
func (r *runner) closeRemote(ctx context.Context) {
	if r.server == nil {
		return
	}
	t := r.server.Flush(context.WithoutCancel(ctx))
	r.remoteDisk.Close()
	if t == nil {
		return
	}
	if t.Left > 0 {
		r.say(r.err, report.Yellow, fmt.Sprintf("remote: %s may run on there, for at most %s", count(t.Left, "task"), t.LeftFor))
	}
	if r.opts.silent {
		return
	}
	text := fmt.Sprintf("remote: %d ran there, %d from the cache", t.There, t.Found)
	var here []string
	if t.Cannot > 0 {
		here = append(here, fmt.Sprintf("%d cannot", t.Cannot))
	}
	if t.Without > 0 {
		here = append(here, fmt.Sprintf("%d not possible there now", t.Without))
	}
	if len(here) > 0 {
		text += fmt.Sprintf(", %d here (%s)", t.Cannot+t.Without, strings.Join(here, ", "))
	}
	r.say(r.err, report.Default, diag.Printable(fmt.Sprintf("%s, up %s, down %s", text, byteSize(t.Up), byteSize(t.Down))))
}

// remoteModes are the values of --remote.
var remoteModes = [...]string{"auto", "strict", "here", "off"}
