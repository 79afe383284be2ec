package main

import (
	"cmp"
	"context"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/weftrun/weft/cmd/weft/remotefile"
	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/companion"
	"github.com/weftrun/weft/internal/tempdir"
	"github.com/weftrun/weft/internal/version"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// applyRemoteSettings sets the options about remote Taskfiles that are not set by a flag, except
// those that [app.settings] sets in every run.
func (a *app) applyRemoteSettings(flags *pflag.FlagSet, rc *schema.RemoteSettings) {
	o := &a.opts.remote
	duration := func(to *time.Duration, flag, env string, fromFile *time.Duration) {
		setting(a, flags, to, flag, "TASK_REMOTE_"+env, fromFile, time.ParseDuration)
	}
	text := func(to *string, flag, env string, fromFile *string) {
		setting(a, flags, to, flag, "TASK_REMOTE_"+env, fromFile, parseText)
	}
	setting(a, flags, &o.Insecure, "insecure", "TASK_REMOTE_INSECURE", rc.Insecure, strconv.ParseBool)
	duration(&o.Timeout, "timeout", "TIMEOUT", rc.Timeout)
	duration(&o.Expiry, "expiry", "CACHE_EXPIRY", rc.CacheExpiry)
	text(&o.CacheDir, "remote-cache-dir", "DIR", nil) // the old name
	text(&o.CacheDir, "remote-cache-dir", "CACHE_DIR", rc.CacheDir)
	text(&o.CACert, "cacert", "CACERT", rc.CACert)
	setting(a, flags, &o.TrustedHosts, "trusted-hosts", "TASK_REMOTE_TRUSTED_HOSTS", &rc.TrustedHosts, parseList)
	// Values may come from the environment. Those of a project are sent only by a run,
	// which executes the project anyway, and not when it is only inspected.
	looking := a.opts.list || a.opts.listAll || a.opts.summary
	for _, h := range rc.Headers {
		if h.Project && looking {
			continue
		}
		if _, known := o.Headers[h.Host]; known {
			continue // a nearer file has priority
		}
		if o.Headers == nil {
			o.Headers = map[string][]channel.Header{}
		}
		for _, name := range slices.Sorted(maps.Keys(h.Headers)) {
			o.Headers[h.Host] = append(o.Headers[h.Host], channel.Header{Name: name, Value: h.Headers[name]})
		}
	}
}

// parseList splits a list at its commas.
func parseList(s string) ([]string, error) {
	if s == "" {
		return nil, errUnset
	}
	list := strings.Split(s, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list, nil
}

// openRemote implements schema.LoadOptions.Open. A file that was opened does not change for
// the whole run.
func (a *app) openRemote(ctx context.Context, root string, files []schema.RemoteFile) []schema.RemoteContent {
	if a.remote == nil {
		o := a.remoteOptions()
		o.Fetch = a.secondProgram(root).Taskfile
		a.remote = remotefile.New(o)
	}
	return a.remote.Open(ctx, root, files)
}

func (a *app) remoteOptions() remotefile.Options {
	if a.remoteSettings != nil {
		a.remoteSettings()
		a.remoteSettings = nil
	}
	o := a.opts.remote
	o.CopiesOnly = a.opts.check || a.opts.complete
	o.CACert, o.Cert, o.CertKey = absolute(o.CACert), absolute(o.Cert), absolute(o.CertKey)
	o.CacheHome, o.StateHome = a.userDir("XDG_CACHE_HOME", ".cache"), a.userDir("XDG_STATE_HOME", ".local/state")
	o.AssumeYes, o.Reference = a.opts.yes, a.dropIn()
	o.Print = func(text string) { a.paint(a.out, report.Yellow, text) }
	o.Warn = func(d *diag.Diagnostic) { a.warnings([]*diag.Diagnostic{d}) }
	if p, ok := a.asker().(prompter); ok {
		o.Ask = p.choose
	}
	return o
}

// absolute makes path absolute. "" stays "".
func absolute(path string) string {
	if abs, err := filepath.Abs(path); path != "" && err == nil {
		return abs
	}
	return path
}

// userDir returns a directory of the user: the one that an XDG variable names, or else the
// system's default, or "".
func (a *app) userDir(variable, below string) string {
	if dir := a.env(variable); filepath.IsAbs(dir) {
		return dir
	}
	switch runtime.GOOS {
	case "windows", "darwin":
		dir, err := os.UserCacheDir()
		if runtime.GOOS == "darwin" && variable == "XDG_STATE_HOME" {
			dir, err = os.UserConfigDir()
		}
		if err != nil {
			return ""
		}
		return dir
	}
	if home := a.env("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, below)
	}
	return ""
}

// secondProgram returns the companion, which fetches files and checks messages. It is started on
// demand.
func (a *app) secondProgram(root string) *companion.Companion {
	if a.companion == nil {
		a.companion = companion.New(companion.Options{Version: version.Module, Environ: a.environ, CacheDir: a.cacheDir(), Root: root})
	}
	return a.companion
}

// cacheDir returns weft's directory in the user's cache directory, or "".
func (a *app) cacheDir() string {
	dir := a.userDir("XDG_CACHE_HOME", ".cache")
	if dir != "" {
		dir = filepath.Join(dir, "weft")
	}
	return dir
}

// resultsDir returns the directory of the output cache, or "".
func (a *app) resultsDir() string { return cmp.Or(a.env("WEFT_CACHE_DIR"), a.cacheDir()) }

// serverDir returns the directory of the cache where what servers have is put: that of the output cache, or,
// if that cannot be written to, one that closeCompanion removes.
func (a *app) serverDir() (string, error) {
	if a.ownResults != nil {
		return a.ownResults.Path, nil
	}
	if disk, err := engine.OpenCache(a.resultsDir()); err == nil {
		writable := disk.Writable()
		disk.Close()
		if writable {
			return disk.Path(), nil
		}
	}
	tempdir.Clean(resultsPrefix)
	var err error
	if a.ownResults, err = tempdir.New(resultsPrefix); err != nil {
		return "", err
	}
	return a.ownResults.Path, nil
}

const resultsPrefix = "weft-results-"

// closeCompanion ends the second program, if it was started.
func (a *app) closeCompanion() {
	if a.companion != nil {
		a.companion.Close()
	}
	if a.ownResults != nil {
		a.ownResults.Remove()
	}
}

// clearCache handles --clear-cache.
func (a *app) clearCache() int {
	if err := remotefile.New(a.remoteOptions()).Clear(a.startDir()); err != nil {
		return a.fail(err)
	}
	if dir := a.cacheDir(); dir != "" {
		if err := os.RemoveAll(filepath.Join(dir, channel.CommitsDir)); err != nil {
			return a.fail(err)
		}
	}
	return 0
}
