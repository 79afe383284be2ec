package shell

import (
	"slices"
	"strings"
)

// Options of set that bash has and that change nothing here, or nothing that a
// script could not do without.
const ignoredLetters = "EThBHbvmP"

var ignoredNames = []string{"errtrace", "functrace", "hashall", "braceexpand", "histexpand", "notify", "verbose", "monitor", "physical",
	"history", "ignoreeof", "nolog", "emacs", "vi"}

// knownSet returns the arguments of set, its name first, without the options that
// are ignored here; only "set" when nothing else is left of them; and nil when
// there are none of those. ignored is the first of them that a script could miss,
// as written: not those that are in force, or that are switched off.
func knownSet(args []string) (known []string, ignored string) {
	known = args[:1:1]
	all := true
	note := func(option string, inForce bool) {
		all = false
		if ignored == "" && !inForce {
			ignored = option
		}
	}
	for i := 1; i < len(args); i++ {
		a := args[i]
		if a == "--" || a == "-" || len(a) < 2 || a[0] != '-' && a[0] != '+' {
			known = append(known, args[i:]...)
			break
		}
		off := a[0] == '+'
		kept := a[:1]
		for j := 1; j < len(a); j++ {
			switch {
			case a[j] == 'o' && i+1 < len(args):
				i++
				if slices.Contains(ignoredNames, args[i]) {
					note("-o "+args[i], off || args[i] == "braceexpand" || args[i] == "hashall")
				} else {
					known = append(known, a[:1]+"o", args[i])
				}
			case strings.IndexByte(ignoredLetters, a[j]) >= 0:
				note("-"+a[j:j+1], off || a[j] == 'B' || a[j] == 'h')
			default:
				kept += a[j : j+1]
			}
		}
		if len(kept) > 1 {
			known = append(known, kept)
		}
	}
	if all {
		return nil, ""
	}
	return known, ignored
}
