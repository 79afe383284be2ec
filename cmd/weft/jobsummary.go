package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/weftrun/weft/cmd/weft/report"
)

// jobSummaryLimit is GitHub's limit for all summaries of one step of a job.
const jobSummaryLimit = 1 << 20

// agentLimit is the time limit for Buildkite's agent. Tests on a busy machine extend it.
var agentLimit = 5 * time.Second

// jobSummary returns the CI system's summary of the run as one more file of the reports; nil if it
// has none.
func (a *app) jobSummary() *reportFile {
	o := &a.opts
	if o.replay != "" || o.inspects() || o.dry || o.watch || o.audited {
		return nil
	}
	system, _, err := a.ciSystem()
	if err != nil {
		return nil
	}
	f := &reportFile{reportKind: a.markdownKind()}
	switch system {
	case report.GitHub:
		if f.path = a.env("GITHUB_STEP_SUMMARY"); f.path == "" {
			return nil
		}
		f.deliver = func(text []byte, _ bool) error { return appendTo(f.path, text) }
	case report.Azure:
		dir := a.env("AGENT_TEMPDIRECTORY")
		if !filepath.IsAbs(dir) {
			return nil
		}
		f.path = dir
		f.deliver = func(text []byte, _ bool) error { return a.uploadSummary(dir, text) }
	case report.Buildkite:
		f.path = "buildkite-agent"
		f.deliver = func(text []byte, failed bool) error {
			style := "success"
			if failed {
				style = "error"
			}
			_, err := a.helper(agentLimit, text, "buildkite-agent", "annotate", "--style", style, "--context", "weft")
			return err
		}
	default:
		return nil
	}
	return f
}

// importJUnit makes the CI system read a JUnit report below the checkout, which is assumed to be
// the working directory, if a line in the log can do that.
func (a *app) importJUnit(path string) {
	var o report.Options
	wd, err := a.workingDir()
	if err != nil || a.opts.replay != "" || a.tellCI(&o) != nil {
		return
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(wd, path)
	}
	if rel, err := filepath.Rel(wd, path); err == nil && filepath.IsLocal(rel) {
		o.CIOut.Write(o.CI.Import(nil, filepath.ToSlash(rel)))
	}
}

// appendTo appends text to a file that other programs may have written to.
func appendTo(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o666)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !st.Mode().IsRegular():
		return errors.New("it is not a regular file")
	case st.Size()+int64(len(text)) > jobSummaryLimit:
		return fmt.Errorf("it already has %d bytes, and the limit is %d", st.Size(), jobSummaryLimit)
	}
	if _, err := f.Write(text); err != nil {
		return err
	}
	return f.Close()
}

// uploadSummary writes text to a file in dir, and makes Azure's agent upload it.
func (a *app) uploadSummary(dir string, text []byte) error {
	f, err := os.CreateTemp(dir, "weft-*.md")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		os.Remove(f.Name())
		return err
	}
	var o report.Options
	if err := a.tellCI(&o); err != nil {
		return err
	}
	o.CIOut.Write([]byte("##vso[task.uploadsummary]" + f.Name() + "\n"))
	return f.Close()
}
