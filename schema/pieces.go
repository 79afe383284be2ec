package schema

import (
	"bytes"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"gopkg.in/yaml.v3"

	"github.com/weftrun/weft/schema/diag"
)

// Why pieces. The YAML library turns a whole file into a tree before anyone can
// look at it: 1.3 KB a task, on one processor. The value of tasks in block
// style can be cut in front of any line that begins a task, and each piece is
// then a document of its own with the same tasks. Pieces are read side by side
// and their trees dropped at once.
//
// A cut is safe because the parts are parsed by the library, too: wherever a
// cut would change the meaning (inside quotes or brackets, between an anchor
// and its alias) the part before or after it is not valid by itself. Then, or
// if anything else is unusual, the file is read as a whole.

const (
	piecesFrom = 64 << 10 // size from which a file is read in pieces
	pieceSize  = 48 << 10 // about how large a piece is
)

// piece is a part of the value of tasks.
type piece struct {
	src   []byte
	lines int32 // lines before it
	tasks []*Task
	list  diag.List
}

// readPieces reads the file into doc in pieces. It returns false, having left
// doc and d alone, when the file must be read as a whole.
func (d *decoder) readPieces(doc *document) bool {
	src := d.file.Source
	if len(src) < piecesFrom || strangeLines(src) {
		return false
	}
	head, body, tail := splitTasks(src)
	pieces := cut(body, int32(bytes.Count(src[:len(src)-len(body)-len(tail)], newline)))
	if len(pieces) < 2 {
		return false
	}
	root := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: 1, Column: 1}
	tailLine := int32(bytes.Count(src[:len(src)-len(tail)], newline))
	if !addPart(root, d.file, head, 0) || !addPart(root, d.file, tail, tailLine) || !d.readAll(pieces) {
		return false
	}
	doc.pos = d.pos(root)
	d.readRoot(root, doc)
	n := 0
	for i := range pieces {
		n += len(pieces[i].tasks)
	}
	doc.tasks = make([]*Task, 0, n)
	for i := range pieces {
		doc.tasks = append(doc.tasks, pieces[i].tasks...)
		d.list.Append(pieces[i].list)
	}
	return true
}

var newline = []byte{'\n'}

// strangeLines reports whether src has lines that end with anything but \n and
// \r\n, which would make us count wrong.
func strangeLines(src []byte) bool {
	if bytes.IndexByte(src, '\r') >= 0 && bytes.Count(src, []byte{'\r'}) != bytes.Count(src, []byte("\r\n")) {
		return true
	}
	return bytes.Contains(src, []byte("\u0085")) || bytes.Contains(src, []byte("\u2028")) || bytes.Contains(src, []byte("\u2029"))
}

// splitTasks cuts src around the lines below "tasks:". body is nil when there
// is no such line, or more than one document.
func splitTasks(src []byte) (head, body, tail []byte) {
	at := -1 // offset of the first line below tasks
	for i := 0; i < len(src); {
		end := lineEnd(src, i)
		line := src[i:end]
		switch {
		case len(line) == 0 || line[0] == '\n' || line[0] == '\r' || line[0] == ' ' || line[0] == '#' || line[0] == '\t':
		case line[0] == '.' || line[0] == '-' || line[0] == '%':
			// A marker of documents; one may open the file.
			if at >= 0 || len(bytes.TrimSpace(head)) > 0 || string(bytes.TrimSpace(line)) != "---" {
				return nil, nil, nil
			}
		case at >= 0:
			return head, src[at:i], src[i:]
		case bytes.HasPrefix(line, []byte("tasks:")) && len(bytes.TrimSpace(line)) == len("tasks:"):
			at, head = end, src[:i]
		default:
			head = src[:end]
		}
		i = end
	}
	if at < 0 {
		return nil, nil, nil
	}
	return head, src[at:], nil
}

// lineEnd returns the offset after the line that begins at i.
func lineEnd(src []byte, i int) int {
	if n := bytes.IndexByte(src[i:], '\n'); n >= 0 {
		return i + n + 1
	}
	return len(src)
}

// cut divides body in front of lines that begin a task.
func cut(body []byte, lines int32) []piece {
	indent := -1
	var pieces []piece
	start, startLine := 0, lines
	for i := 0; i < len(body); lines++ {
		end := lineEnd(body, i)
		n := i
		for n < end && body[n] == ' ' {
			n++
		}
		if c := body[min(n, len(body)-1)]; n < end && c != '#' && c != '\n' && c != '\r' {
			if indent < 0 {
				indent = n - i
			}
			if n-i == indent && i-start >= pieceSize && beginsKey(c) {
				pieces = append(pieces, piece{src: body[start:i], lines: startLine})
				start, startLine = i, lines
			}
		}
		i = end
	}
	if indent < 1 {
		return nil
	}
	return append(pieces, piece{src: body[start:], lines: startLine})
}

func beginsKey(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '"' || c == '\''
}

// addPart parses the part of a file before or after tasks and adds its keys to
// root.
func addPart(root *yaml.Node, file *diag.File, src []byte, lines int32) bool {
	n, problem := parseYAML(file, lines, src)
	if problem != nil || n == nil {
		return problem == nil
	}
	if n.Kind != yaml.MappingNode || n.Column != 1 || n.Style&yaml.FlowStyle != 0 {
		return false
	}
	for i := 0; i < len(n.Content); i += 2 {
		if k := n.Content[i]; k.Value == "tasks" || k.Tag == "!!merge" {
			return false
		}
	}
	shift(n, int(lines))
	root.Content = append(root.Content, n.Content...)
	return true
}

func shift(n *yaml.Node, lines int) {
	if lines == 0 {
		return
	}
	n.Line += lines
	for _, c := range n.Content {
		shift(c, lines)
	}
}

// readAll decodes the pieces side by side. It returns false when one of them
// cannot be read by itself.
func (d *decoder) readAll(pieces []piece) bool {
	var next atomic.Int32
	var failed atomic.Bool
	var done sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(pieces)) {
		done.Go(func() {
			for !failed.Load() {
				i := int(next.Add(1)) - 1
				if i >= len(pieces) {
					return
				}
				if !pieces[i].read(d.file) {
					failed.Store(true)
				}
			}
		})
	}
	done.Wait()
	return !failed.Load()
}

func (p *piece) read(file *diag.File) bool {
	root, problem := parseYAML(file, p.lines, p.src)
	if problem != nil || root == nil || root.Kind != yaml.MappingNode || root.Style&yaml.FlowStyle != 0 ||
		strings.HasPrefix(root.Tag, "!") && root.Tag != "!!map" {
		return false
	}
	d := decoder{file: file, line: p.lines, budget: freeVisits + 4*len(p.src)}
	var doc document
	d.readTasks(root, &doc)
	p.tasks, p.list, p.src = doc.tasks, d.list, nil
	return true
}
