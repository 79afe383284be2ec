package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/schema/diag"
)

// reportKind is a kind of report that --report supports.
type reportKind struct {
	name  string
	wants event.Wants
	write func(w io.Writer, run report.Finished) error
}

// reportKinds returns the kinds of reports, in listing order.
func (a *app) reportKinds() []reportKind {
	return []reportKind{
		{"junit", event.Wants{Graph: true, Output: true}, report.WriteJUnit},
		{"trace", event.Wants{Graph: true, Reasons: true, Detail: true}, report.WriteTrace},
		{"html", event.Wants{Graph: true, Reasons: true, Detail: true, Output: true}, a.writePage},
		a.markdownKind(),
	}
}

// markdownKind is the kind of report that is also the job summary of CI systems.
func (a *app) markdownKind() reportKind {
	return reportKind{"markdown", event.Wants{Graph: true}, func(w io.Writer, run report.Finished) error {
		var text bytes.Buffer
		err := report.WriteMarkdown(&text, run)
		if _, werr := io.WriteString(w, a.secrets.Mask(text.String())); err == nil {
			err = werr
		}
		return err
	}}
}

// reportFile is one file of --report, or an implicit receiver of a report.
type reportFile struct {
	reportKind
	path string
	// deliver receives the report, and whether the run failed. Nil: it is written to path.
	deliver func(text []byte, failed bool) error
}

// parseReports parses words, KIND=FILE each. from is the flag or the setting that contains them.
func (a *app) parseReports(from string, words []string) ([]reportFile, error) {
	kinds := a.reportKinds()
	var all []reportFile
	for _, word := range words {
		name, path, ok := strings.Cut(word, "=")
		i := slices.IndexFunc(kinds, func(k reportKind) bool { return k.name == name })
		switch {
		case i < 0:
			var names []string
			for _, k := range kinds {
				names = append(names, k.name)
			}
			return nil, flagError(fmt.Sprintf("%s: there is no report %q; there are %s", from, name, strings.Join(names, ", ")))
		case !ok || path == "":
			return nil, flagError(fmt.Sprintf("%s: %s needs the name of a file: %s=FILE", from, name, name))
		}
		for _, other := range all {
			if sameFile(other.path, path) {
				return nil, flagError(fmt.Sprintf("%s: %s and %s are the same file", from, other.path, path))
			}
		}
		if st, err := os.Stat(path); err == nil && st.IsDir() {
			return nil, flagError(fmt.Sprintf("%s: %s is a directory; write %s=%s", from, path, name, filepath.Join(path, "FILE")))
		}
		all = append(all, reportFile{reportKind: kinds[i], path: path})
	}
	return all, nil
}

// sameFile reports whether a and b are the same file, which need not exist.
func sameFile(a, b string) bool {
	x, errX := filepath.Abs(a)
	y, errY := filepath.Abs(b)
	if errX == nil && errY == nil && x == y {
		return true
	}
	s, errS := os.Stat(a)
	t, errT := os.Stat(b)
	return errS == nil && errT == nil && os.SameFile(s, t)
}

// reportFiles returns the reporter that writes the files of --report, or of WEFT_REPORT; nil if
// there are none. A weft that is a command of another one ignores WEFT_REPORT, which is meant for
// the outer one.
func (a *app) reportFiles() (report.Reporter, error) {
	from, words := "--report", a.opts.reports
	if len(words) == 0 && !a.dropIn() && a.env(proc.RunVariable) == "" {
		from, words = "WEFT_REPORT", strings.Fields(a.env("WEFT_REPORT"))
	}
	files, err := a.parseReports(from, words)
	if err != nil {
		return nil, err
	}
	if err := a.findCompared(files); err != nil {
		return nil, err
	}
	summary := a.jobSummary()
	if summary == nil && len(files) == 0 {
		return nil, nil
	}
	r := &wholeRun{a: a, from: from, files: files, folder: model.Folder{Describe: a.describe}}
	for _, f := range files {
		if a.opts.events != "" && a.opts.events != "-" && sameFile(f.path, a.opts.events) {
			return nil, flagError(fmt.Sprintf("%s and --events name the same file, %s", from, f.path))
		}
		if a.opts.replay != "" && sameFile(f.path, a.opts.replay) {
			return nil, flagError(fmt.Sprintf("%s and --replay name the same file, %s", from, f.path))
		}
		r.wants = r.wants.Union(f.wants)
	}
	if summary != nil {
		r.files = append(r.files, *summary)
		r.wants = r.wants.Union(summary.wants)
	}
	return r, nil
}

// openPatience is the time limit for opening a named pipe without a reader.
const openPatience = time.Second

// wholeRun writes reports of a whole run when it has ended: in watch mode after each batch. It
// implements [report.Reporter].
type wholeRun struct {
	a        *app
	from     string // flag or setting that requested the reports
	files    []reportFile
	wants    event.Wants
	folder   model.Folder
	logs     report.Logs
	complete bool // the files contain all events of the run
	err      error
}

func (r *wholeRun) Wants() event.Wants { return r.wants }

func (r *wholeRun) Handle(ev event.Event) {
	if out, ok := ev.(*event.Output); ok {
		r.folder.Handle(out)
		r.logs.Handle(out)
		if out.Release != nil {
			out.Release()
		}
		return
	}
	if _, ok := ev.(*event.RunStarted); ok && r.complete {
		r.complete = false
		r.logs.Reset()
	}
	r.folder.Handle(ev)
	if _, ok := ev.(*event.RunFinished); ok && r.folder.Ended() {
		r.write()
	}
}

// write writes all files.
func (r *wholeRun) write() {
	r.complete = true
	for _, f := range r.files {
		if f.deliver != nil {
			r.deliver(&f)
			continue
		}
		err := r.logs.Err()
		if err != nil {
			err = fmt.Errorf("the output of the run could not be kept in %s: %w", os.TempDir(), err)
		} else {
			err = writeWhole(f.path, func(w io.Writer) error {
				return f.write(w, report.Finished{Run: r.folder.Run(), Logs: &r.logs, File: f.path})
			})
		}
		if err == nil && f.name == "junit" {
			r.a.importJUnit(f.path)
		}
		if err != nil {
			r.err = errCode(exitOther)
			r.a.say(r.a.err, report.Red, fmt.Sprintf("%s %s=%s: %s", r.from, f.name, diag.Printable(f.path), diag.Printable(err.Error())+remedy(err)))
		}
	}
}

// deliver delivers an implicit report: a failure is only a warning.
func (r *wholeRun) deliver(f *reportFile) {
	var text bytes.Buffer
	run := r.folder.Run()
	err := f.write(&text, report.Finished{Run: run, Logs: &r.logs})
	if err == nil {
		err = f.deliver(text.Bytes(), run.Failed)
	}
	if err != nil {
		r.a.say(r.a.err, report.Yellow, fmt.Sprintf("warning: the summary of the job, %s: %s", diag.Printable(f.path), diag.Printable(err.Error())))
	}
}

// Err returns nil: a failed report does not end the run.
func (r *wholeRun) Err() error { return nil }

// Close writes the reports of a run whose end was not seen. It returns an [errCode] if a report
// could not be written, which was shown.
func (r *wholeRun) Close() error {
	if r.folder.Run() != nil && !r.complete {
		r.write()
	}
	r.logs.Reset()
	return r.err
}

// writeWhole writes a file that appears whole or not at all. It makes missing directories.
func writeWhole(path string, write func(io.Writer) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), openPatience)
	defer cancel()
	t, err := pipe.OpenTarget(ctx, path, pipe.Atomic)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = errors.New("nothing reads this named pipe; start its reader before the run ends")
		}
		return err
	}
	if err := write(t.File); err != nil {
		t.Discard()
		return err
	}
	return t.Commit()
}
