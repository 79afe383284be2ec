// Package page writes the HTML page of a run: one self-contained file, which loads nothing.
//
// The page consists of a template, a style sheet and plain scripts, joined in order, without
// comments and indentation. assets.gz contains all of them, as does the program. The run is data in
// the page: columns of integers and a list of texts as JSON, compressed, in base64; logs are packed
// in blocks, which a browser unpacks when a log is opened. The layout of the graph is computed
// here, everything else by the scripts. The head and the failures are plain HTML, for browsers
// without scripts.
//
// Text from outside is escaped by [diag.Printable] and then for HTML; scripts insert it into the
// page as text only. The policy in the page allows its one script and one style sheet, by their
// hashes, and no requests.
package page

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"strings"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/cmd/weft/report/model"
)

// Options configure a page. The zero value shows the run alone.
type Options struct {
	Number     int        // number of the run in the history, or 0
	Before     *model.Run // run to compare with, or nil
	BeforeName string     // name of Before, as in "run 41"
	Plan       bool       // nothing has run: only the graph is known
	// Again holds what precedes and follows the name of a task on a command line that runs it like
	// this run did: shell-quoted words, each after a space.
	Again [2]string
	// Script, if not "", provides the data instead of the page; it may make requests to the origin of
	// the page.
	Script string
}

// WriteLive writes what the scripts of a live page cannot compute from events: facts about the run
// as a whole, the places of its steps in the graph, and their results in the run to compare with.
// Times are in microseconds.
func WriteLive(w io.Writer, o Options, run *model.Run) error {
	p := newPage(o, report.Finished{Run: run})
	p.unit = 1
	return p.writeLive(w)
}

// Write writes the page of a run. The result depends only on o and run.
func Write(w io.Writer, o Options, run report.Finished) error {
	p := newPage(o, run)
	var err error
	if p.assets, err = unpack(packed); err != nil {
		return err
	}
	p.code = p.scripts + compact(o.Script) + p.main
	out := bufio.NewWriterSize(w, 64<<10)
	for rest := p.template; ; {
		text, after, more := strings.Cut(rest, "{{")
		out.WriteString(text)
		if !more {
			break
		}
		name, after, _ := strings.Cut(after, "}}")
		if err := p.fill(out, name); err != nil {
			return err
		}
		rest = after
	}
	return out.Flush()
}

// page is a page being written.
type page struct {
	o     Options
	run   report.Finished
	row   map[*model.Step]int // row of a step in the columns
	logs  []packedLog         // by row; nil: no logs
	texts texts
	unit  int64 // unit of time, in microseconds
	assets
	code string // all scripts
}

func newPage(o Options, run report.Finished) *page {
	p := &page{o: o, run: run, row: make(map[*model.Step]int, len(run.Steps)), texts: texts{number: map[string]int64{"": 0}, all: []string{""}}, unit: unitOf(run.Run)}
	for i, s := range run.Steps {
		p.row[s] = i
	}
	return p
}

// fill writes the content of the template's placeholder name.
func (p *page) fill(out *bufio.Writer, name string) error {
	switch name {
	case "policy":
		out.WriteString("default-src 'none'; script-src '" + hash(p.code) + "'; style-src '" + hash(p.style) + "'; img-src data:; base-uri 'none'; form-action 'none'")
		if p.o.Script != "" {
			out.WriteString("; connect-src 'self'")
		}
	case "title":
		writeText(out, "weft "+p.run.Name())
	case "style":
		out.WriteString(p.style)
	case "script":
		out.WriteString(p.code)
	case "summary":
		writeText(out, p.summary())
	case "failures":
		return p.writeFailures(out)
	case "data":
		if err := p.planLogs(); err != nil {
			return err
		}
		return pack(out, p.writeData)
	case "logs":
		return p.writeLogs(out)
	}
	return nil
}

// hash returns the hash of s for a content security policy.
func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// pack writes the output of write to out, compressed and in base64.
func pack(out io.Writer, write func(io.Writer) error) error {
	encoded := base64.NewEncoder(base64.StdEncoding, out)
	packed := gzip.NewWriter(encoded)
	err := write(packed)
	if closed := packed.Close(); err == nil {
		err = closed
	}
	if closed := encoded.Close(); err == nil {
		err = closed
	}
	return err
}
