package changes

import (
	"errors"
	"strings"
)

// entry is a file that differs from the base.
type entry struct {
	old, new string // modes in octal; "000000" is not a file
	blob     string // its content at the base; no meaning if there was none
}

// The modes of entries that are not files.
const (
	noFile    = "000000"
	linkMode  = "120000"
	submodule = "160000"
)

// errForm means that git's output has an unknown form.
var errForm = errors.New("the output of git cannot be understood")

// parseRaw parses the output of `git diff --raw -z --no-renames`, and calls f with each path.
func parseRaw(out string, f func(path string, e entry)) error {
	for out != "" {
		head, rest, ok := strings.Cut(out, "\x00")
		path, rest, complete := strings.Cut(rest, "\x00")
		fields := strings.Fields(head)
		if !ok || !complete || path == "" || len(fields) != 5 || len(fields[0]) != 7 || fields[0][0] != ':' || len(fields[1]) != 6 {
			return errForm
		}
		f(path, entry{old: fields[0][1:], new: fields[1], blob: fields[2]})
		out = rest
	}
	return nil
}

// parseStage parses the output of `git ls-files --stage -z`, and calls f with each path and its
// mode.
func parseStage(out string, f func(path, mode string)) error {
	for out != "" {
		line, rest, ok := strings.Cut(out, "\x00")
		head, path, tab := strings.Cut(line, "\t")
		if !ok || !tab || path == "" || len(head) < 6 {
			return errForm
		}
		f(path, head[:6])
		out = rest
	}
	return nil
}

// parseNames reads names that each end with a NUL.
func parseNames(out string, f func(path string)) error {
	for out != "" {
		path, rest, ok := strings.Cut(out, "\x00")
		if !ok || path == "" {
			return errForm
		}
		f(path)
		out = rest
	}
	return nil
}
