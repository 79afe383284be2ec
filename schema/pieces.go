package schema

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"gopkg.in/yaml.v3"

	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema/diag"
)

// Why pieces. The YAML library turns a whole file into a tree before anyone can
// look at it: 1.3 KB a task, on one processor. The value of tasks in block
// style can be cut in front of any line that begins a task. Pieces are read
// side by side and their trees dropped at once.
//
// A cut is safe: plainReader reads a part only if it is a map by itself, and the
// library parses it below a first line that puts it into the state it has in the
// file: in the map of tasks, after a task. Wherever a cut would change the meaning (inside quotes or brackets,
// between an anchor and its alias) the part before or after it is not valid by
// itself. Then, or if anything else is unusual, the file is read as a whole.

const (
	piecesFrom = 16 << 10 // size from which a file is read in pieces
	pieceSize  = 4 << 10  // about how large a piece is
)

// piece is a part of the value of tasks.
type piece struct {
	src     string
	lines   int32  // lines before it
	indent  string // of its tasks
	first   bool
	tasks   []*Task
	nodes   int // that were read
	list    diag.List
	doubts  []*diag.Diagnostic
	secrets bool
}

// readPieces reads the file into doc in pieces of at least size bytes. It
// returns false, having left doc and d alone, when the file must be read as a
// whole.
func (d *decoder) readPieces(doc *document, size int) bool {
	src := d.file.Source
	if strangeLines(src) {
		return false
	}
	head, body, tail := splitTasks(src)
	pieces := cut(body, int32(strings.Count(src[:len(src)-len(body)-len(tail)], newline)), size)
	if len(pieces) < 2 {
		return false
	}
	root := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: 1, Column: 1}
	if !addHead(root, d.file, head) || !addTail(root, d.file, tail) || !d.readAll(pieces) {
		return false
	}
	doc.pos = d.pos(root)
	d.readRoot(root, doc)
	n := 0
	for i := range pieces {
		n += len(pieces[i].tasks)
	}
	nodes := count(root, 0)
	doc.tasks = make([]*Task, 0, n)
	for i := range pieces {
		doc.tasks = append(doc.tasks, pieces[i].tasks...)
		d.list.Append(pieces[i].list)
		d.doubts = append(d.doubts, pieces[i].doubts...)
		d.secrets = d.secrets || pieces[i].secrets
		nodes += pieces[i].nodes
	}
	if problem := tooMany(d.file, nodes); problem != nil {
		d.list.Add(problem)
	}
	return true
}

const newline = "\n"

// strangeLines reports whether src has lines that end with anything but \n and
// \r\n, which would make us count wrong.
func strangeLines(src string) bool {
	if strings.IndexByte(src, '\r') >= 0 && strings.Count(src, "\r") != strings.Count(src, "\r\n") {
		return true
	}
	return strings.Contains(src, "\u0085") || strings.Contains(src, "\u2028") || strings.Contains(src, "\u2029")
}

// splitTasks cuts src around the lines below "tasks:". body is nil when there
// is no such line, or more than one document.
func splitTasks(src string) (head, body, tail string) {
	at := -1 // offset of the first line below tasks
	for i := 0; i < len(src); {
		end := lineEnd(src, i)
		line := src[i:end]
		switch {
		case len(line) == 0 || line[0] == '\n' || line[0] == '\r' || line[0] == ' ' || line[0] == '#' || line[0] == '\t':
		case line[0] == '.' || line[0] == '-' || line[0] == '%':
			// A marker of documents; one may open the file.
			if at >= 0 || len(strings.TrimSpace(head)) > 0 || strings.TrimSpace(line) != "---" {
				return "", "", ""
			}
		case at >= 0:
			return head, src[at:i], src[i:]
		case strings.HasPrefix(line, "tasks:") && len(strings.TrimSpace(line)) == len("tasks:"):
			at, head = end, src[:i]
		default:
			head = src[:end]
		}
		i = end
	}
	if at < 0 {
		return "", "", ""
	}
	return head, src[at:], ""
}

// lineEnd returns the offset after the line that begins at i.
func lineEnd(src string, i int) int {
	if n := strings.IndexByte(src[i:], '\n'); n >= 0 {
		return i + n + 1
	}
	return len(src)
}

// cut divides body in front of lines that begin a task.
func cut(body string, lines int32, size int) []piece {
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
			if n-i == indent && i-start >= size && beginsKey(c) {
				pieces = append(pieces, piece{src: body[start:i], lines: startLine})
				start, startLine = i, lines
			}
		}
		i = end
	}
	if indent < 1 {
		return nil
	}
	pieces = append(pieces, piece{src: body[start:], lines: startLine})
	for i := range pieces {
		pieces[i].first = i == 0
		pieces[i].indent = strings.Repeat(" ", indent)
	}
	return pieces
}

func beginsKey(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '"' || c == '\''
}

// addHead adds the keys before tasks to root.
func addHead(root *yaml.Node, file *diag.File, src string) bool {
	n := parsePart(src + "tasks:\n")
	if n == nil || !plainMap(n) || n.Column != 1 {
		return false
	}
	root.Line = n.Line
	return addKeys(root, n.Content[:len(n.Content)-2])
}

// addTail adds the keys after tasks to root.
func addTail(root *yaml.Node, file *diag.File, src string) bool {
	const before = "tasks:\n  x: y\n"
	n := parsePart(before + src)
	if n == nil || !plainMap(n) {
		return false
	}
	shift(n, strings.Count(file.Source[:len(file.Source)-len(src)], newline)-2)
	return addKeys(root, n.Content[2:])
}

func addKeys(root *yaml.Node, content []*yaml.Node) bool {
	for i := 0; i < len(content); i += 2 {
		if k := content[i]; k.Value == "tasks" || k.Tag == "!!merge" {
			return false
		}
	}
	root.Content = append(root.Content, content...)
	return true
}

// parsePart returns the root of src, or nil.
func parsePart(src string) *yaml.Node {
	if n := new(plainReader).read(src); n != nil {
		return n
	}
	return parseByLibrary([]byte(src))
}

func parseByLibrary(src []byte) *yaml.Node {
	doc, err := unmarshal(src)
	if err != nil || len(doc.Content) == 0 {
		return nil
	}
	return doc.Content[0]
}

// plainMap reports whether n is a mapping in block style without a tag or an
// anchor.
func plainMap(n *yaml.Node) bool {
	return n.Kind == yaml.MappingNode && n.Style == 0 && n.Anchor == "" && n.Tag == "!!map"
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

// readAll decodes the pieces side by side, the largest first, so that none is
// left to be waited for. It returns false when one of them cannot be read by
// itself.
func (d *decoder) readAll(pieces []piece) bool {
	order := make([]*piece, len(pieces))
	for i := range pieces {
		order[i] = &pieces[i]
	}
	slices.SortStableFunc(order, func(a, b *piece) int { return len(b.src) - len(a.src) })
	var next atomic.Int32
	var failed atomic.Bool
	var done sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(pieces)) {
		done.Go(func() {
			var m pieceMemory
			for !failed.Load() && !m.stopped {
				i := int(next.Add(1)) - 1
				if i >= len(order) {
					return
				}
				if !order[i].read(d.file, &m) {
					failed.Store(true)
				}
			}
		})
	}
	done.Wait()
	return !failed.Load()
}

// pieceMemory is what is used again for the next piece. The zero value is ready.
type pieceMemory struct {
	plain    plainReader
	buf      []byte
	tasks    slab[Task]
	commands slab[Command]
	grown    int  // see decoder
	stopped  bool // going on is pointless
}

// read decodes p. It returns false when it cannot be read by itself.
func (p *piece) read(file *diag.File, m *pieceMemory) bool {
	n, lines := m.plain.read(p.src), p.lines
	p.nodes = m.plain.made
	if n == nil {
		if n, lines = p.readByLibrary(&m.buf); n == nil {
			return false
		}
		p.nodes = count(n, 0)
	}
	d := decoder{file: file, line: lines, bangs: hasTag(p.src), budget: limit.Nodes, grown: m.grown, tasks: m.tasks, commands: m.commands}
	var doc document
	d.readTasks(n, &doc)
	m.tasks, m.commands, m.grown, m.stopped = d.tasks, d.commands, d.grown, d.stopped
	p.tasks, p.list, p.doubts, p.secrets, p.src = doc.tasks, d.list, d.doubts, d.secrets, ""
	return true
}

// readByLibrary returns the map of the tasks of p, or nil, and how many lines of the
// file come before those that its nodes are counted from.
func (p *piece) readByLibrary(buf *[]byte) (n *yaml.Node, lines int32) {
	src, lines := append((*buf)[:0], "tasks:\n"...), p.lines-1
	if !p.first {
		src = append(append(src, p.indent...), "x: y\n"...)
		lines--
	}
	src = append(src, p.src...)
	*buf = src
	root := parseByLibrary(src)
	if root == nil || len(root.Content) != 2 || !plainMap(root.Content[1]) {
		return nil, 0
	}
	n = root.Content[1]
	if !p.first {
		n.Content = n.Content[2:]
	}
	return n, lines
}
