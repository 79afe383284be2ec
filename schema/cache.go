package schema

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/weftrun/weft/schema/diag"
	"github.com/weftrun/weft/schema/yaml"
)

// Cache is the key `cache` of a task, or of the root file for all tasks: whether a task's results
// are kept and restored, and on what they depend besides its commands and sources.
type Cache struct {
	Pos diag.Pos
	// On of a task: whether its results are kept; Unset leaves that to the root file. That of the
	// root file is True if the results of every task with sources and generates are kept by
	// default.
	On   Tristate
	Env  []string    // names of inherited variables that count
	Key  []CacheText // what counts, in order
	Salt string      // of the root file: results of runs with another one are not found

	Remote *Connection // of the root file: the shared cache; nil: none
	Share  Tristate    // of a task: False keeps its results on this machine
	Push   Tristate    // results are stored in the shared cache; Unset of a task: as the root file says
}

// CacheText is an entry of `cache.key`.
type CacheText struct {
	Text    Text // a template; in the root file the text itself
	Command bool // Text is a command, and its output counts
}

const (
	cacheForm     = `{"anyOf":[` + boolForm + `,{"$ref":"#/$defs/cache"}]}`
	rootCacheForm = `{"anyOf":[` + boolForm + `,{"$ref":"#/$defs/rootCache"}]}`
	cacheKeyForm  = `{"type":["array","null"],"items":{"$ref":"#/$defs/cacheText"}}`
)

var cacheKeys = []key[*Cache]{
	{"env", len(listOfText), len("Names of inherited variables on which the result depends."), (*decoder).cacheEnv},
	{"key", len(cacheKeyForm), len("What else the result depends on: texts, and the output of commands ({sh: go version})."), (*decoder).cacheTexts},
	{"remote", len(boolForm), len("false: its results stay on this machine."), func(d *decoder, n *yaml.Node, c *Cache) { c.Share = d.boolean(n) }},
	{"push", len(boolForm), len("Its results are uploaded to the shared cache."), func(d *decoder, n *yaml.Node, c *Cache) { c.Push = d.boolean(n) }},
}

var rootCacheKeys = []key[*Cache]{
	{"env", len(listOfText), len("Names of inherited variables on which results depend."), (*decoder).cacheEnv},
	{"key", len(cacheKeyForm), len("What else results depend on: texts, and the output of commands ({sh: go version})."), (*decoder).cacheTexts},
	{"all", len(boolForm), len("Every task with sources and generates is cached, unless it says cache: false."), func(d *decoder, n *yaml.Node, c *Cache) { c.On = d.boolean(n) }},
	{"salt", len(textForm), len("Results that were stored with another value are not found."), func(d *decoder, n *yaml.Node, c *Cache) {
		salt := d.text(n)
		d.noTemplate(salt)
		c.Salt = salt.S
	}},
	{"remote", len(connectionForm), len("The shared cache: its URL, or a map with url."), (*decoder).sharedCache},
	{"push", len(boolForm), len("Results of runs here are uploaded to the shared cache."), func(d *decoder, n *yaml.Node, c *Cache) { c.Push = d.boolean(n) }},
}

var cacheTextKeys = []key[*CacheText]{
	{"sh", len(textForm), len("Command whose output counts."), func(d *decoder, n *yaml.Node, c *CacheText) { c.Text = d.text(n) }},
}

// cache reads `cache` of a task, or that of the root file: true, false or a map.
func (d *decoder) cache(n *yaml.Node, keys []key[*Cache]) *Cache {
	if isNull(n) {
		return nil
	}
	c := &Cache{Pos: d.pos(n)}
	if n.Kind != yaml.MappingNode {
		if c.On = d.boolean(n); c.On == Unset {
			return nil // the mistake has been reported
		}
		return c
	}
	readMap(d, n, "cache", keys, c)
	return c
}

// taskCache reads `cache` of a task: a map says that it is cached.
func (d *decoder) taskCache(n *yaml.Node, t *Task) {
	t.Cache = d.cache(n, cacheKeys)
	if t.Cache != nil && t.Cache.On == Unset {
		t.Cache.On = True
	}
}

// rootCache reads `cache` of a file. Nothing in it is a template.
func (d *decoder) rootCache(n *yaml.Node, doc *document) {
	doc.Cache = d.cache(n, rootCacheKeys)
	if doc.Cache == nil {
		return
	}
	for _, t := range doc.Cache.Key {
		d.noTemplate(t.Text)
	}
}

func (d *decoder) cacheEnv(n *yaml.Node, c *Cache) {
	c.Env = d.strings(n, "names of variables")
	for _, name := range c.Env {
		if name == "" || strings.ContainsAny(name, "={}\x00") {
			d.fail(n, "write the name alone, as in [CC, CFLAGS]", "cache.env: %q is not a name of a variable", name)
		}
		if strings.HasPrefix(name, "WEFT_") {
			d.fail(n, "remove it", "cache.env: %s is a variable of weft, which results do not depend on", name)
		}
	}
}

func (d *decoder) cacheTexts(n *yaml.Node, c *Cache) {
	c.Key = list(d, n, "texts and commands", func(it *yaml.Node) (t CacheText) {
		if it.Kind != yaml.MappingNode {
			t.Text = d.text(it)
			d.suspectCommandText(it, t.Text.S)
			return t
		}
		t.Command = true
		if readMap(d, it, "cache.key", cacheTextKeys, &t); t.Text.S == "" {
			d.fail(it, "write {sh: go version}", "cache.key: a map needs the key sh")
		}
		return t
	})
}

// suspectCommandText warns of a text that was probably meant as a command: as a text it never
// changes when the program does.
func (d *decoder) suspectCommandText(n *yaml.Node, text string) {
	if words := strings.Fields(text); len(words) < 2 || IsTemplate(text) || strings.ContainsAny(words[0], "=:;,") {
		return
	}
	d.suspect(n, fmt.Sprintf("cache.key: %q is a text, and is not run as a command", text), "", "write {sh: "+quoteYAML(text)+"} for the output of a command")
}

// noTemplate reports a template in the root key cache.
func (d *decoder) noTemplate(t Text) {
	if IsTemplate(t.S) {
		d.failAt(t.Pos, "use $NAME for a variable of the environment", "cache: %q: templates are not supported here", t.S)
	}
}

// checkCache reports a cached task without sources or generates.
func (d *decoder) checkCache(t *Task) {
	if t.Cache == nil || t.Cache.On != True {
		return
	}
	fail := func(fix, what string) { d.failAt(t.Cache.Pos, fix, "cache: %s", what) }
	switch {
	case !t.namesSources():
		fail("list the files that it reads under sources", "it has no sources, which determine when its results are out of date")
	case t.Generates == nil:
		fail("list the files that it writes under generates, or write generates: [] if there are none", "it has no generates, so there is nothing to store")
	default:
		if why, fix := t.uncacheable(); why != "" {
			fail(fix, why)
		}
	}
}

// namesSources reports whether t has sources that are more than exclusions.
func (t *Task) namesSources() bool {
	return slices.ContainsFunc(t.Sources, func(g Glob) bool { return !g.Exclude })
}

// uncacheable returns why the result of t, which has sources and generates, depends on more than
// these and its commands; "" if it does not.
func (t *Task) uncacheable() (why, fix string) {
	set := func(w, f string) {
		if why == "" {
			why, fix = w, f
		}
	}
	options := func(p *Processes) {
		switch {
		case p == nil:
		case p.Stdin != nil && (p.Stdin.Kind == StdinInherit || p.Stdin.Kind == StdinFrom || p.Stdin.Kind == StdinRoute):
			set("its standard input is not known in advance", "read a file, as in stdin: {file: in.txt}")
		case p.HasChannel():
			set("messages (ipc) are not stored", "remove cache")
		case p.Leftover == LeftoverKeep:
			set("it leaves processes running (leftover: keep)", "remove cache, or leftover")
		case p.User.S != "":
			set("the owner of a file is not stored, and its commands run as another user", "remove cache, or user")
		case slices.ContainsFunc(slices.Concat(p.Stdout, p.Stderr), func(s Sink) bool { return s.Kind == SinkInherit }):
			set("its output goes directly to weft's own stream (inherit) and cannot be stored", "write log instead of inherit")
		}
	}
	switch {
	case t.Service() != nil:
		set("a service has no result", "remove cache")
	case t.Interactive:
		set("the input from the terminal is not known in advance (interactive)", "remove cache, or interactive")
	}
	if t.Running != nil && len(t.Running.Ports) > 0 {
		set("its ports differ from run to run", "remove cache, or ports")
	}
	options(t.Processes)
	EachCommand(t.Cmds, func(c *Command) {
		if c.Kind == Call {
			set(fmt.Sprintf("it calls task %q, whose commands and sources are not taken into account", c.Text.S), "make it a need: deps: ["+quoteYAML(c.Text.S)+"]")
		}
		if !c.HasOptions() {
			return
		}
		options(c.Processes)
		if c.Background {
			set("a command continues after the task has ended (background)", "remove cache, or background")
		}
	})
	return why, fix
}

// expand replaces $NAME and ${NAME} in the texts of the root file by variables of the environment.
// Commands are left to the shell.
func (c *Cache) expand(getenv func(string) string) {
	if c == nil {
		return
	}
	c.Salt = os.Expand(c.Salt, getenv)
	for i := range c.Key {
		if k := &c.Key[i]; !k.Command {
			k.Text.S = os.Expand(k.Text.S, getenv)
		}
	}
}

// Cached reports whether t's results are kept and restored.
func (w *Workflow) Cached(t *Task) bool {
	switch {
	case cmp.Or(t.Fingerprint, w.Fingerprint) == FingerprintV3: // it ignores most of what the result depends on
		return false
	case t.Cache != nil && t.Cache.On != Unset:
		return t.Cache.On == True
	case w.Cache == nil || w.Cache.On != True:
		return false
	}
	if !t.namesSources() || t.Generates == nil {
		return false
	}
	why, _ := t.uncacheable()
	return why == ""
}
