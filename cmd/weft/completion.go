package main

import (
	"context"
	_ "embed" // for the scripts
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// The scripts of the shells.
var (
	//go:embed completion/bash
	completionBash string
	//go:embed completion/zsh
	completionZsh string
	//go:embed completion/fish
	completionFish string
	//go:embed completion/powershell
	completionPowershell string
	//go:embed completion/nu
	completionNu string
)

// completion handles --completion: it writes a script that calls `weft __complete`.
func (a *app) completion() int {
	script := ""
	switch shell := a.opts.completion; shell {
	case "bash":
		script = completionBash
	case "zsh":
		script = completionZsh
	case "fish":
		script = completionFish
	case "powershell":
		script = completionPowershell
	case "nu", "nushell":
		script = completionNu
	default:
		return a.fail(errors.New("unknown shell: " + shell))
	}
	a.out.Show(strings.ReplaceAll(script, "PROGRAM", a.name))
	return 0
}

// The directives of the protocol of completion scripts. One follows the last suggestion, after
// a ":".
const (
	completeDefault  = 0 // complete file names
	completeNoFiles  = 4
	completeFileExts = 8 // the suggestions are extensions of files
	completeDirs     = 16
)

// complete handles `__complete WORD…`: it writes suggestions for the last word, one per line,
// each with a tab and a description. The shell filters them.
func (a *app) complete() int {
	words := a.opts.cliArgs
	if len(words) == 0 {
		words = []string{""}
	}
	before, last := words[:len(words)-1], words[len(words)-1]
	lines, directive := a.suggest(before, last)
	lines = append(lines, ":"+strconv.Itoa(directive)+"\n")
	a.out.Show(strings.Join(lines, "\n"))
	return 0
}

func (a *app) suggest(before []string, last string) ([]string, int) {
	var o options
	flags := o.flagSet()
	if slices.Contains(before, "--") {
		return nil, completeDefault
	}
	if name, _, ok := strings.Cut(last, "="); ok && strings.HasPrefix(name, "-") {
		lines, directive := a.values(strings.TrimLeft(name, "-"))
		for i := range lines {
			if directive == completeNoFiles {
				lines[i] = name + "=" + lines[i]
			}
		}
		return lines, directive
	}
	if strings.HasPrefix(last, "-") {
		return a.flagNames(flags), completeNoFiles
	}
	if len(before) > 0 {
		if name, ok := wantsValue(flags, before[len(before)-1]); ok {
			return a.values(name)
		}
	}
	flags.Parse(before)
	return a.taskNames(&o), completeNoFiles
}

// wantsValue reports whether word is a flag whose value is the next word.
func wantsValue(flags *pflag.FlagSet, word string) (string, bool) {
	var f *pflag.Flag
	switch name, long := strings.CutPrefix(word, "--"); {
	case long:
		f = flags.Lookup(name)
	case len(word) > 1 && word[0] == '-':
		f = flags.ShorthandLookup(word[len(word)-1:])
	}
	if f == nil || f.NoOptDefVal != "" {
		return "", false
	}
	return f.Name, true
}

// values returns the values that a flag may have.
func (a *app) values(flag string) ([]string, int) {
	switch flag {
	case "taskfile", "t":
		return []string{"yml", "yaml"}, completeFileExts
	case "dir", "d", "temp-dir", "remote-cache-dir":
		return nil, completeDirs
	case "events", "replay", "report", "shard-by", "cacert", "cert", "cert-key":
		return nil, completeDefault
	}
	if flag == "schema" {
		_, _, names := schema.Published("")
		return names, completeNoFiles
	}
	styles := []string{"interleaved", "group", "prefixed"}
	if !a.dropIn() {
		styles = append(styles, "keep-order")
	}
	return map[string][]string{
		"sort": {"default", "alphanumeric", "none"}, "ci": {"auto", "off", "github", "gitlab", "azure", "teamcity", "buildkite", "jenkins", "other"}, "output": styles, "o": styles, "completion": {"bash", "zsh", "fish", "powershell"},
		"progress": progresses[:], "graph": {"tree", "dot", "mermaid", "json", "html"}, "cache": cacheCommands[:], "remote": remoteModes[:], "reap": {"all"}, "history": {historyDiff, historySlowest, historyFlaky, "last"},
	}[flag], completeNoFiles
}

func (a *app) flagNames(flags *pflag.FlagSet) []string {
	var long, short []string
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden && a.dropIn() {
			return
		}
		usage := ""
		if f.Usage != "" {
			usage = "\t" + f.Usage
		}
		long = append(long, "--"+f.Name+usage)
		if f.Shorthand != "" {
			short = append(short, "-"+f.Shorthand+usage)
		}
	})
	return append(long, short...)
}

// taskNames returns the tasks of the Taskfile that the words before select. It returns none if
// the Taskfile cannot be read.
func (a *app) taskNames(o *options) []string {
	load, err := a.loadOptions(o)
	if err != nil || o.taskfile == "-" {
		return nil
	}
	w, _ := schema.Load(context.Background(), load)
	if w == nil {
		return nil
	}
	var lines []string
	for _, t := range w.Tasks {
		if t.Internal {
			continue
		}
		desc := ""
		if t.Desc.S != "" {
			desc = "\t" + strings.Join(strings.Fields(t.Desc.S), " ")
		}
		for _, name := range append([]string{t.Name}, t.Aliases...) {
			// A word that begins with "-" or contains "=" is not a name on a command line.
			if !strings.HasPrefix(name, "-") && !strings.ContainsAny(name, "=\t") && diag.Printable(name) == name {
				lines = append(lines, strings.TrimRight(name, ":")+desc)
			}
		}
	}
	return lines
}
