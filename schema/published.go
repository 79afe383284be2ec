package schema

import (
	"bytes"
	"compress/gzip"
	_ "embed" // for published
	"io"
	"strings"
)

// published are the schemas that are published in this directory, compressed: for each a line with
// its name, the schema, and a byte 0. TestPublished makes it.
//
//go:embed published.gz
var published []byte

// Published returns the JSON Schema that is published under a name, such as "events". ok is
// false if there is none; names are all that there are, in order.
func Published(name string) (text string, ok bool, names []string) {
	z, err := gzip.NewReader(bytes.NewReader(published))
	if err != nil {
		return "", false, nil
	}
	all, err := io.ReadAll(z)
	if err != nil {
		return "", false, nil
	}
	for one := range strings.SplitSeq(strings.TrimSuffix(string(all), "\x00"), "\x00") {
		n, schema, _ := strings.Cut(one, "\n")
		if names = append(names, n); n == name {
			text, ok = schema, true
		}
	}
	return text, ok, names
}
