package main

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/schema/diag"
)

// cacheCommands are the values of --cache.
var cacheCommands = [...]string{"ls", "gc", "verify", "rm", "push", "serve"}

// wholeCache handles --cache=gc and --cache=verify, which affect all projects.
func (a *app) wholeCache(ctx context.Context) int {
	disk, err := engine.OpenCache(a.resultsDir())
	if err == nil {
		defer disk.Close()
		if a.opts.cache == "gc" {
			err = a.collectCache(ctx, disk)
		} else {
			return a.verifyCache(ctx, disk)
		}
	}
	if err != nil {
		return a.fail(fmt.Errorf("%s: --cache=%s: %w", a.name, a.opts.cache, err))
	}
	return 0
}

// collectCache removes entries beyond the size limit.
func (a *app) collectCache(ctx context.Context, disk *cache.Disk) error {
	s, err := disk.GC(ctx, cache.DefaultLimit)
	if err == nil {
		a.say(a.out, report.Default, fmt.Sprintf("removed %s and %s, %s; %s are left, %s", count(s.RemovedResults, "result"), count(s.RemovedBlobs, "blob"), byteSize(s.Freed), count(s.Results, "result"), byteSize(s.Size)))
	}
	return err
}

// verifyCache reads the whole cache.
func (a *app) verifyCache(ctx context.Context, disk *cache.Disk) int {
	problems := 0
	s, err := disk.Verify(ctx, func(p cache.Problem) {
		problems++
		a.say(a.err, report.Yellow, diag.Printable(p.Path+": "+p.Why))
	})
	if err != nil {
		return a.fail(fmt.Errorf("%s: --cache=verify: %w", a.name, err))
	}
	a.say(a.out, report.Default, fmt.Sprintf("%s and %s are intact, %s; %s and %s were removed", count(s.Results, "result"), count(s.Blobs, "blob"), byteSize(s.Size), count(s.RemovedResults, "result"), count(s.RemovedBlobs, "blob")))
	if problems > 0 {
		return exitOther
	}
	return 0
}

// count formats a number of things.
//
//go:noinline
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return strconv.Itoa(n) + " " + thing
}

// byteSize formats a number of bytes: 1.2 MiB.
func byteSize(n int64) string {
	const units = "KMGTPE"
	if n < 1<<10 {
		return strconv.FormatInt(n, 10) + " B"
	}
	size, unit := float64(n)/(1<<10), 0
	for ; size >= 1023.95 && unit < len(units)-1; unit++ {
		size /= 1 << 10
	}
	return strconv.FormatFloat(size, 'f', 1, 64) + " " + units[unit:unit+1] + "iB"
}

// cacheEntry is a cache entry of the project.
type cacheEntry struct {
	Task   string    `json:"task"`
	Action string    `json:"action"` // digest, in hexadecimal
	Time   time.Time `json:"time"`   // last stored or restored
	Files  int       `json:"files"`
	Bytes  int64     `json:"bytes"`
}

// listCache handles --cache=ls: it lists the project's entries, for all tasks or the named ones.
func (r *runner) listCache() error {
	disk, entries, err := r.indexed()
	if err != nil {
		return err
	}
	defer disk.Close()
	list := []cacheEntry{}
	for _, e := range entries {
		there, err := disk.Entry(e.Action)
		if err != nil || there == nil {
			continue // unusable
		}
		list = append(list, cacheEntry{e.Task, e.Action.Hex(), e.Time.UTC(), there.Files, there.Size})
	}
	if r.opts.json {
		r.writeJSON(struct {
			Version   int          `json:"version"`
			Directory string       `json:"directory"`
			Entries   []cacheEntry `json:"entries"`
		}{1, disk.Path(), list})
		return nil
	}
	r.showEntries(list)
	return nil
}

// showEntries writes a line for each entry, in columns.
func (r *runner) showEntries(list []cacheEntry) {
	rows := make([][4]string, len(list))
	var widths [4]int
	for i, e := range list {
		rows[i] = [4]string{diag.Printable(e.Task), e.Time.Local().Format(time.DateTime), count(e.Files, "file"), byteSize(e.Bytes)}
		for c, text := range rows[i] {
			widths[c] = max(widths[c], len([]rune(text)))
		}
	}
	for i, row := range rows {
		line := ""
		for c, text := range row {
			pad := spaces(widths[c] - len([]rune(text)))
			if c >= 2 { // numbers
				line += pad + text + "  "
			} else {
				line += text + pad + "  "
			}
		}
		r.out.Show(line + list[i].Action[:12] + "\n")
	}
}

// removeCached handles --cache=rm: it removes the project's entries of the named tasks.
func (r *runner) removeCached() error {
	disk, entries, err := r.indexed()
	if err != nil {
		return err
	}
	defer disk.Close()
	removed := map[cache.Digest]bool{}
	for _, e := range entries {
		there, err := disk.Remove(e.Action)
		if err != nil {
			return fmt.Errorf("%s: --cache=rm: %w", r.name, err)
		}
		removed[e.Action] = removed[e.Action] || there
	}
	if err := r.engine.CacheIndex().Drop(func(e cache.Indexed) bool {
		return slices.ContainsFunc(entries, func(gone cache.Indexed) bool { return gone.Action == e.Action })
	}); err != nil {
		return fmt.Errorf("%s: --cache=rm: %w", r.name, err)
	}
	n := 0
	for _, there := range removed {
		if there {
			n++
		}
	}
	r.say(r.out, report.Default, "removed "+count(n, "result"))
	return nil
}

// indexed returns the project's entries of the named tasks, or of all, without repetition, by task
// and then by time; and their cache.
func (r *runner) indexed() (*cache.Disk, []cache.Indexed, error) {
	all, err := r.engine.CacheIndex().Entries()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: --cache=%s: %w", r.name, r.opts.cache, err)
	}
	wanted, err := r.tasksNamed(all)
	if err != nil {
		return nil, nil, err
	}
	entries := all[:0]
	for _, e := range all {
		if wanted == nil || wanted[e.Task] {
			entries = append(entries, e)
		}
	}
	sort.SliceStable(entries, func(i, j int) bool { return entries[i].Task < entries[j].Task })
	disk, err := engine.OpenCache(r.options.CacheDir)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: --cache=%s: %w", r.name, r.opts.cache, err)
	}
	return disk, entries, nil
}

// tasksNamed returns the full names of the tasks on the command line; nil for all. A removed task
// may still have entries.
func (r *runner) tasksNamed(all []cache.Indexed) (map[string]bool, error) {
	var wanted map[string]bool
	for _, name := range r.opts.calls {
		if wanted == nil {
			wanted = map[string]bool{}
		}
		known := slices.ContainsFunc(all, func(e cache.Indexed) bool { return e.Task == name })
		t, _, err := r.workflow.Lookup(name)
		switch {
		case err != nil && !known:
			return nil, err
		case err == nil && !strings.Contains(t.Name, "*"):
			wanted[t.Name] = true
		}
		wanted[name] = true
	}
	return wanted, nil
}
