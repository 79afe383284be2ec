package main

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/weftrun/weft/internal/fifo"
	"github.com/weftrun/weft/internal/taskurl"
	"github.com/weftrun/weft/schema"
)

// settings sets the options that are not set by a flag: from TASK_* variables, or else from the
// .taskrc files. It ignores invalid values.
func (a *app) settings(flags *pflag.FlagSet) {
	o, rc := &a.opts, a.taskrc()
	boolean := func(to *bool, flag, env string, fromFile *bool) {
		setting(a, flags, to, flag, env, fromFile, strconv.ParseBool)
	}
	text := func(to *string, flag, env string, fromFile *string) {
		setting(a, flags, to, flag, env, fromFile, parseText)
	}
	boolean(&o.verbose, "verbose", "TASK_VERBOSE", rc.Verbose)
	boolean(&o.silent, "silent", "TASK_SILENT", rc.Silent)
	boolean(&o.color, "color", "TASK_COLOR", rc.Color)
	boolean(&o.disableFuzzy, "disable-fuzzy", "TASK_DISABLE_FUZZY", rc.DisableFuzzy)
	boolean(&o.failfast, "failfast", "TASK_FAILFAST", rc.Failfast)
	if !a.dropIn() {
		boolean(&o.record, "record", "WEFT_RECORD", nil)
		text(&o.progress, "progress", "WEFT_PROGRESS", nil)
		text(&o.elsewhere, "remote", "WEFT_REMOTE", nil)
		text(&o.remoteDownload, "remote-download", "WEFT_REMOTE_DOWNLOAD", nil)
		text(&o.remoteJobs, "remote-jobs", "WEFT_REMOTE_JOBS", nil)
	}
	boolean(&o.interactive, "interactive", "TASK_INTERACTIVE", rc.Interactive)
	boolean(&o.dry, "dry", "TASK_DRY", nil)
	boolean(&o.yes, "yes", "TASK_ASSUME_YES", nil)
	boolean(&o.groupErrorOnly, "output-group-error-only", "TASK_OUTPUT_GROUP_ERROR_ONLY", nil)
	text(&o.output, "output", "TASK_OUTPUT", nil)
	text(&o.groupBegin, "output-group-begin", "TASK_OUTPUT_GROUP_BEGIN", nil)
	text(&o.groupEnd, "output-group-end", "TASK_OUTPUT_GROUP_END", nil)
	text(&o.tempDir, "temp-dir", "TASK_TEMP_DIR", rc.TempDir)
	boolean(&o.remote.Offline, "offline", "TASK_REMOTE_OFFLINE", rc.Remote.Offline)
	text(&o.remote.Cert, "cert", "TASK_REMOTE_CERT", rc.Remote.Cert)
	text(&o.remote.CertKey, "cert-key", "TASK_REMOTE_CERT_KEY", rc.Remote.CertKey)
	a.remoteSettings = func() { a.applyRemoteSettings(flags, &rc.Remote) }
	setting(a, flags, &o.concurrency, "concurrency", "TASK_CONCURRENCY", rc.Concurrency, strconv.Atoi)
	if _, err := strconv.ParseBool(a.env("TASK_COLOR")); err == nil || rc.Color != nil {
		o.colorSet = true
	}
	a.palette = a.choosePalette()
	a.experiments(rc)
	a.warnCoreUtils()
}

// setting sets an option that is not set by its flag: from an environment variable, or else from
// the .taskrc files. flags is nil if no flag was given.
func setting[T any](a *app, flags *pflag.FlagSet, to *T, flag, env string, fromFile *T, parse func(string) (T, error)) {
	if flags != nil && flags.Changed(flag) {
		return
	}
	if v, err := parse(a.env(env)); err == nil {
		*to = v
	} else if fromFile != nil {
		*to = *fromFile
	}
}

var errUnset = errors.New("not set")

// parseText returns s, or an error if it is empty.
func parseText(s string) (string, error) {
	if s == "" {
		return "", errUnset
	}
	return s, nil
}

// taskrc reads the .taskrc files: those of the start directory and its parents, as long as
// these have the same owner, the nearest first; then that of the home directory and that of
// the user's configuration directory. A directory without one costs one system call.
func (a *app) taskrc() *schema.Settings {
	all := new(schema.Settings)
	project := true // the next file belongs to the project, not to the user
	add := func(path string, whose owners) bool {
		src, err := readSettings(path, whose)
		if err != nil {
			return !errors.Is(err, fs.ErrNotExist)
		}
		if s, err := schema.DecodeSettings(src); err == nil {
			for i := range s.Remote.Headers {
				s.Remote.Headers[i].Project = project
			}
			all.Inherit(s)
		}
		return true
	}
	addIn := func(dir, name string, whose owners) {
		if !add(filepath.Join(dir, name+".yml"), whose) {
			add(filepath.Join(dir, name+".yaml"), whose)
		}
	}
	passed := false // the home directory
	home := a.env("HOME")
	for dir := range schema.Upwards(a.startDir()) {
		passed = passed || dir == home
		project = dir != home
		addIn(dir, ".taskrc", notPlanted)
	}
	project = false
	if home != "" && !passed {
		addIn(home, ".taskrc", oursOnly)
	}
	if config := a.env("XDG_CONFIG_HOME"); config != "" {
		addIn(filepath.Join(config, "task"), "taskrc", notPlanted)
	}
	return all
}

// owners specifies the permitted owners of a settings file.
type owners uint8

const (
	notPlanted owners = iota // any owner, but in a world-writable directory only this user or the directory's owner
	oursOnly                 // this user or root
)

// maxSettings is the largest size of a file of settings, in bytes.
const maxSettings = 1 << 20

// readSettings returns the content of a file of settings. It never waits: it returns an error
// for a file that is not regular, too large, or has another owner.
func readSettings(path string, whose owners) ([]byte, error) {
	f, err := fifo.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > maxSettings || !mayBe(info, filepath.Dir(path), whose) {
		return nil, errors.New("not a settings file")
	}
	return io.ReadAll(io.LimitReader(f, maxSettings))
}

// startDir returns the directory in which .taskrc and .env files are looked for.
func (a *app) startDir() string {
	dir := a.opts.dir
	switch {
	case dir != "":
	case a.opts.global:
		dir = a.env("HOME")
	case a.opts.taskfile != "" && a.opts.taskfile != "-" && !taskurl.IsRemote(a.opts.taskfile):
		dir = filepath.Dir(a.opts.taskfile)
	}
	if filepath.IsAbs(dir) {
		return filepath.Clean(dir)
	}
	wd, err := a.workingDir()
	if err != nil {
		return "/"
	}
	return filepath.Join(wd, dir)
}

// workingDir returns the working directory at the time of the first call.
func (a *app) workingDir() (string, error) {
	if a.wd != "" {
		return a.wd, nil
	}
	wd, err := schema.WorkingDir()
	if err == nil {
		a.wd = wd
	}
	return wd, err
}
