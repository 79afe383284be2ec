package page

import (
	"bytes"
	"compress/gzip"
	_ "embed" // for packed
	"io"
	"strings"
)

// packed contains page.html, page.css, the scripts of this directory except main.js, and main.js,
// compressed, each followed by a byte 0. TestAssets makes it.
//
//go:embed assets.gz
var packed []byte

// assets are the parts of a page other than its run.
type assets struct {
	template string
	style    string
	scripts  string // all except main.js, joined in order
	main     string // the last
}

func unpack(packed []byte) (a assets, err error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return a, err
	}
	text, err := io.ReadAll(z)
	rest := string(text)
	for _, to := range [...]*string{&a.template, &a.style, &a.scripts, &a.main} {
		*to, rest, _ = strings.Cut(rest, "\x00")
	}
	return a, err
}

// compact returns a script without comments and indentation. It takes // behind a space for a comment
// wherever that stands.
func compact(script string) string {
	var b strings.Builder
	for line := range strings.Lines(script) {
		line, _, _ = strings.Cut(strings.Trim(line, "\t\n"), " //")
		if line != "" && !strings.HasPrefix(line, "//") {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}
