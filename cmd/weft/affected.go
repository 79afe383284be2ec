package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weftrun/weft/cmd/weft/changes"
	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/affected"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// defaultBase is the value of --affected without an argument: the base is detected. It is not a
// valid git revision.
const defaultBase = "\x00"

// chooses reports whether flags other than names select tasks.
func (o *options) chooses() bool { return o.affected != "" || o.shard != "" }

// lists reports whether the tasks that --affected finds are only listed.
func (o *options) lists() bool {
	return o.affected != "" && !o.run && !o.status && !o.why && o.graph == ""
}

// validateChoice returns an error if the flags that select tasks contradict each other.
func (o *options) validateChoice() error {
	chosen, listing := o.affected != "", o.list || o.listAll || o.summary
	for _, c := range [...]struct {
		wrong bool
		text  string
	}{
		{o.run && !chosen, "--run only applies to --affected"},
		{chosen && listing, "cannot use --affected with --list, --list-all or --summary"},
		{chosen && o.run && o.json, "cannot use --affected with both --json, which lists, and --run"},
		{chosen && o.watch && !o.run, "--affected only lists tasks: to run and watch them, add --run"},
		{o.shard == "" && o.shardBy != "", "--shard-by needs --shard"},
		{o.shard != "" && listing, "cannot use --shard with --list, --list-all or --summary"},
		{o.shard != "" && !chosen && len(o.calls) == 0, "--shard selects from the named tasks, or those of --affected: name some"},
	} {
		if c.wrong {
			return flagError(c.text)
		}
	}
	if o.shard == "" {
		return nil
	}
	_, err := parseShard(o.shard)
	return err
}

// choice is the set of tasks selected by --affected and --shard.
type choice struct {
	names []string
	why   map[string]string // by name; nil without --affected
	base  string            // the commit compared with
	none  string            // why there are no names
}

// choose handles --affected and --shard: it returns the selected tasks.
func (r *runner) choose(ctx context.Context) (*choice, error) {
	c := &choice{names: r.opts.calls}
	if r.opts.affected != "" {
		var err error
		if c, err = r.affected(ctx); err != nil {
			return nil, err
		}
	}
	if r.opts.shard != "" && len(c.names) > 0 {
		s, err := r.shard()
		if err != nil {
			return nil, err
		}
		if c.names = s.take(c.names); len(c.names) == 0 {
			c.none = fmt.Sprintf("shard %s is empty: there are fewer tasks than shards", r.opts.shard)
		}
	}
	return c, nil
}

// affected returns the tasks affected by changes.
func (r *runner) affected(ctx context.Context) (*choice, error) {
	o := changes.Options{Dir: r.workflow.Dir, Environ: r.environ}
	if r.opts.affected != defaultBase {
		o.Base = r.opts.affected
	}
	since, err := changes.Since(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("%s: --affected: %w", r.name, err)
	}
	defer since.Close()
	q := affected.Options{Workflow: r.workflow, Footprints: r.engine.Footprints(), Environ: r.environ, Changes: since.Changes}
	q.Before, q.Unknown = r.workflowBefore(ctx, since)
	tasks, err := affected.Find(ctx, q, unique(r.opts.calls))
	if err != nil {
		return nil, err
	}
	c := &choice{base: since.Base, why: map[string]string{}}
	for _, t := range tasks {
		c.names, c.why[t.Name] = append(c.names, t.Name), t.Why
	}
	c.none = fmt.Sprintf("no task is affected by the changes since %s (%.12s)", since.Named, since.Base)
	if since.IsHead && !since.Any() {
		c.none = fmt.Sprintf("nothing has changed since %s, the checked-out commit; --affected=HEAD~1 compares with the commit before it", since.Named)
	}
	return c, nil
}

// unique removes repeated names.
func unique(names []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		again := seen[name]
		seen[name] = true
		return again
	})
}

// workflowBefore returns the workflow at the base, or nil if it is unchanged; or why it is unknown.
func (r *runner) workflowBefore(ctx context.Context, since *changes.Changes) (w *schema.Workflow, unknown string) {
	if !r.taskfilesChanged(since) {
		return nil, ""
	}
	o, err := r.loadOptions(&r.opts)
	if err != nil {
		return nil, err.Error()
	}
	o.Files, o.Stdin, o.Open = since.Before(ctx), strings.NewReader(r.workflow.File.Source), r.openAgain
	w, list := schema.Load(ctx, o)
	if err := list.Err(); err != nil {
		return nil, fmt.Sprintf("the earlier Taskfile cannot be read: %s", list.All()[0].What)
	}
	return w, ""
}

// taskfilesChanged reports whether Taskfiles may have changed: one that is read now, one that took
// precedence in the search for it, or a removed optional one.
func (r *runner) taskfilesChanged(since *changes.Changes) bool {
	for _, f := range r.workflow.Files() {
		if _, changed := since.Files[f]; changed {
			return true
		}
		for _, dir := range since.Dirs {
			if strings.HasPrefix(f, dir+"/") {
				return true
			}
		}
	}
	for f, change := range since.Files {
		if change == affected.Removed || slices.Contains(schema.FileNames(), filepath.Base(f)) {
			return true
		}
	}
	return false
}

// openAgain opens remote Taskfiles that were opened before, without fetching.
func (r *runner) openAgain(ctx context.Context, root string, files []schema.RemoteFile) []schema.RemoteContent {
	contents := make([]schema.RemoteContent, len(files))
	for i, f := range files {
		known := func(s *diag.File) bool { return s.Remote && s.Path == f.URL.Redacted() }
		if slices.ContainsFunc(r.workflow.Sources, known) {
			contents[i] = r.openRemote(ctx, root, files[i:i+1])[0]
		} else {
			contents[i].Problem = &diag.Diagnostic{Pos: f.Pos, Kind: diag.NotCached, What: "the included remote Taskfiles differ"}
		}
	}
	return contents
}

// jsonAffected is the output of --affected --json; docs/affected.md describes it.
type jsonAffected struct {
	Version int               `json:"version"`
	Base    string            `json:"base"`
	Tasks   []string          `json:"tasks"`
	Why     map[string]string `json:"why"`
}

// listAffected lists the tasks found by --affected.
func (r *runner) listAffected(c *choice) {
	if r.opts.json {
		j := jsonAffected{Version: 1, Base: c.base, Tasks: append([]string{}, c.names...), Why: map[string]string{}}
		for _, name := range c.names {
			j.Why[name] = c.why[name]
		}
		r.writeJSON(j)
		return
	}
	for _, name := range c.names {
		r.paint(r.out, report.Green, diag.Printable(name))
		if r.opts.verbose {
			r.out.Show(": " + diag.Printable(c.why[name]))
		}
		r.out.Show("\n")
	}
	if len(c.names) == 0 {
		r.sayNone(c)
	}
}

// sayNone explains why there is nothing to do.
func (r *runner) sayNone(c *choice) {
	if !r.opts.silent {
		r.say(r.err, report.Yellow, diag.Printable(c.none))
	}
}
