//go:build linux

// Package strace parses the output of strace for a tree of processes: the files that they read and
// write, and the addresses that they connect to. It owns the text of strace and the state of
// processes that is necessary to interpret it: their working directories, and the steps of a run
// that they belong to. It knows nothing of tasks, and does not use the file system.
//
// # Input
//
//	PID SECONDS.MICROSECONDS NAME(ARGUMENTS) = RESULT
//	PID SECONDS.MICROSECONDS NAME(ARGUMENTS <unfinished ...>
//	PID SECONDS.MICROSECONDS <... NAME resumed>ARGUMENTS) = RESULT
//
// as strace with [Arguments] writes it: descriptors with their paths (-y), and texts in the escapes
// of C. Unknown lines are skipped: another version of strace may write more.
package strace

import (
	"bufio"
	"errors"
	"io"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Arguments returns the arguments of strace for a trace that goes to a file. The program to
// be run follows.
func Arguments(file string) []string {
	// A question mark precedes calls that some systems do not have.
	const calls = "?open,openat,?openat2,?creat,?rename,?renameat,renameat2,?link,linkat,?symlink,symlinkat,truncate,?mknod,mknodat," +
		"chdir,fchdir,execve,?execveat,?fork,?vfork,clone,?clone3,connect,sendto"
	return []string{"-f", "-q", "-ttt", "-y", "-e", "trace=" + calls, "-e", "abbrev=!execve,execveat", "-e", "signal=none", "-s", "512", "-o", file, "--"}
}

// Kind is the kind of an Access.
type Kind uint8

const (
	Read Kind = iota
	Write
	Rename  // From becomes Path
	Connect // Path is an address, "HOST:PORT"
	End     // the first process has ended, with Code
)

// Access is an action of a process, a successful one except for Connect.
type Access struct {
	Time time.Time
	Step string // of the process: the value of WEFT_STEP_ID with which it was started; "" for the first process, and its children without a step
	Kind Kind
	Path string // absolute and clean; links in it are not resolved
	From string // of Rename
	Code int    // of End: as a shell shows it
}

// maxLine is the maximum length of a line.
const maxLine = 4 << 20

// Scan calls each with every access, in order. The first process works in dir. The only errors
// are those of r.
func Scan(r io.Reader, dir string, each func(Access)) error {
	s := scanner{each: each, first: dir, processes: map[int]*process{}, unfinished: map[int]string{}, orphans: map[int][]line{}}
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		text, err := readLine(in)
		if l, ok := parseLine(text); ok {
			s.line(l)
		}
		if err == io.EOF {
			s.adopt()
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// readLine returns the next line, or "" for one that is too long.
func readLine(in *bufio.Reader) (string, error) {
	var b []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(b) <= maxLine {
			b = append(b, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if len(b) > maxLine {
			b = nil
		}
		return strings.TrimSuffix(string(b), "\n"), err
	}
}

// line is a line of a trace.
type line struct {
	pid  int
	time time.Time
	text string // the rest
}

// parseLine parses the beginning of a line.
func parseLine(text string) (l line, ok bool) {
	pid, rest, _ := strings.Cut(text, " ")
	at, rest, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	seconds, fraction, _ := strings.Cut(at, ".")
	n, err := strconv.Atoi(pid)
	sec, err2 := strconv.ParseInt(seconds, 10, 64)
	micro, err3 := strconv.ParseInt(fraction, 10, 64)
	if err != nil || err2 != nil || err3 != nil || len(fraction) != 6 || micro < 0 {
		return l, false
	}
	return line{n, time.Unix(sec, micro*1000), rest}, true
}

// process is the known state of a process. Threads share one.
type process struct {
	dir   string // "" is not known
	step  string
	first bool // or a thread of the first: it is of no step
}

type scanner struct {
	each       func(Access)
	first      string // the working directory of the first process; "" once there is one
	processes  map[int]*process
	firstPID   int
	unfinished map[int]string // calls that have begun, by process
	births     int            // number of those that make processes
	// orphans are the lines of processes whose creation by a parent was not read yet.
	orphans map[int][]line
}

// maxOrphan is the maximum number of lines of a process that wait for its parent.
const maxOrphan = 10_000

func (s *scanner) line(l line) {
	p := s.processes[l.pid]
	switch {
	case p != nil:
	case s.first != "":
		p = &process{dir: s.first, first: true}
		s.first, s.firstPID = "", l.pid
	case s.births > 0 && len(s.orphans[l.pid]) < maxOrphan:
		s.orphans[l.pid] = append(s.orphans[l.pid], l)
		return
	default:
		p = &process{}
	}
	s.processes[l.pid] = p
	s.understand(l, p)
}

// adopt processes the lines of all processes whose parents will have no more lines.
func (s *scanner) adopt() {
	for pid := range s.orphans {
		s.born(pid, &process{})
	}
}

// born records the state of a new process, and processes its earlier lines.
func (s *scanner) born(pid int, p *process) {
	s.processes[pid] = p
	waiting := s.orphans[pid]
	delete(s.orphans, pid)
	for _, l := range waiting {
		s.understand(l, p)
	}
}

// understand processes a line of a known process.
func (s *scanner) understand(l line, p *process) {
	text := l.text
	switch {
	case strings.HasPrefix(text, "+++ superseded by execve in pid "):
		// A thread has become the process: the call that it began ends as that of the process.
		n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(text, "+++ superseded by execve in pid "), " +++"))
		if begun, ok := s.unfinished[n]; ok {
			s.unfinished[l.pid] = begun
			delete(s.unfinished, n)
		}
		if thread := s.processes[n]; thread != nil {
			s.processes[l.pid] = thread
			delete(s.processes, n)
		}
		return
	case strings.HasPrefix(text, "+++ "):
		if begun, ok := s.unfinished[l.pid]; ok {
			s.births -= birth(begun)
			delete(s.unfinished, l.pid)
		}
		delete(s.processes, l.pid)
		if l.pid == s.firstPID {
			s.each(Access{Time: l.time, Kind: End, Code: exitCode(text)})
		}
		return
	case strings.HasPrefix(text, "--- "):
		return
	case strings.HasPrefix(text, "<... "):
		_, rest, ok := strings.Cut(text, " resumed>")
		begun, known := s.unfinished[l.pid]
		if !ok || !known {
			return
		}
		s.births -= birth(begun)
		delete(s.unfinished, l.pid)
		text = begun + rest
	}
	if begun, ok := strings.CutSuffix(text, " <unfinished ...>"); ok {
		if len(begun) <= maxLine {
			s.births += birth(begun)
			s.unfinished[l.pid] = begun
		}
		return
	}
	if c, ok := parseCall(text); ok {
		c.time = l.time
		s.call(&c, p)
	}
}

// exitCode returns the exit code in the last line about a process.
func exitCode(text string) int {
	if code, ok := strings.CutPrefix(text, "+++ exited with "); ok {
		n, _ := strconv.Atoi(word(code))
		return n
	}
	name, _ := strings.CutPrefix(text, "+++ killed by ")
	return 128 + int(unix.SignalNum(word(name)))
}

// birth is 1 for a call that makes a process, else 0.
func birth(text string) int {
	switch name, _, _ := strings.Cut(text, "("); name {
	case "clone", "clone3", "fork", "vfork":
		return 1
	}
	return 0
}

// call records the effect of a call of p.
func (s *scanner) call(c *call, p *process) {
	if c.name == "connect" || c.name == "sendto" {
		if to := address(c); to != "" {
			s.each(Access{Time: c.time, Step: p.step, Kind: Connect, Path: to})
		}
		return
	}
	if c.failed() {
		return
	}
	tell := func(kind Kind, file, from string) { s.tell(c, p, kind, file, from) }
	switch c.name {
	case "open", "openat", "openat2", "creat":
		s.open(c, tell)
	case "rename":
		tell(Rename, p.at(c, -1, 1), p.at(c, -1, 0))
	case "renameat", "renameat2":
		if strings.Contains(c.arg(4), "RENAME_EXCHANGE") {
			tell(Write, p.at(c, 0, 1), "")
			tell(Write, p.at(c, 2, 3), "")
			return
		}
		tell(Rename, p.at(c, 2, 3), p.at(c, 0, 1))
	case "link", "symlink":
		tell(Write, p.at(c, -1, 1), "")
	case "linkat":
		tell(Write, p.at(c, 2, 3), "")
	case "symlinkat":
		tell(Write, p.at(c, 1, 2), "")
	case "truncate", "mknod":
		tell(Write, p.at(c, -1, 0), "")
	case "mknodat":
		tell(Write, p.at(c, 0, 1), "")
	case "chdir":
		p.dir = p.at(c, -1, 0)
	case "fchdir":
		p.dir = behind(c.arg(0))
	case "execve":
		tell(Read, p.at(c, -1, 0), "")
		p.begin(c.arg(2))
	case "execveat":
		tell(Read, p.at(c, 0, 1), "")
		p.begin(c.arg(3))
	case "fork", "vfork", "clone", "clone3":
		child, err := strconv.Atoi(word(c.result))
		if err != nil || child <= 0 {
			return
		}
		if flags := strings.Join(c.args, ","); strings.Contains(flags, "CLONE_FS") {
			s.born(child, p) // a thread, or similar
			return
		}
		s.born(child, &process{dir: p.dir, step: p.step})
	}
}

// tell reports what a call of p has done to a file.
//
//go:noinline
func (s *scanner) tell(c *call, p *process, kind Kind, file, from string) {
	if file != "" && (kind != Rename || from != "") {
		s.each(Access{Time: c.time, Step: p.step, Kind: kind, Path: file, From: from})
	}
}

// open reports a file that was opened: by the path of the descriptor, which is known even if the
// process's directory is not.
func (s *scanner) open(c *call, tell func(Kind, string, string)) {
	file := behind(c.result)
	if file == "" {
		return
	}
	flags := c.arg(1)
	switch c.name {
	case "openat", "openat2":
		flags = c.arg(2)
	case "creat":
		flags = "O_WRONLY|O_TRUNC"
	}
	has := func(flag string) bool { return strings.Contains(flags, flag) }
	switch {
	case has("O_PATH"), has("O_DIRECTORY"):
	case has("O_WRONLY"), has("O_RDWR") && (has("O_TRUNC") || has("O_EXCL")):
		tell(Write, file, "")
	case has("O_RDWR"):
		tell(Read, file, "")
		tell(Write, file, "")
	default:
		if has("O_CREAT") && has("O_EXCL") || has("O_TRUNC") {
			tell(Write, file, "")
			return
		}
		tell(Read, file, "")
	}
}

// begin records the step of a program that p executes, from its environment. A step of a run inside
// a step is part of that one.
func (p *process) begin(environment string) {
	if p.step != "" || p.first {
		return
	}
	const name = `"WEFT_STEP_ID=`
	for _, entry := range split(strings.Trim(environment, "[]")) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(entry), name); ok {
			p.step = strings.TrimRight(value, `."`)
			return
		}
	}
}

// at returns the path that is argument i of a call, seen from the directory that is argument
// dir, or, if that is -1, from the process's directory; "" if it is not known.
func (p *process) at(c *call, dir, i int) string {
	name, ok := unquote(c.arg(i))
	if !ok {
		return ""
	}
	base := p.dir
	if dir >= 0 {
		if b := behind(c.arg(dir)); b != "" {
			base = b
		} else if word(c.arg(dir)) != "AT_FDCWD" {
			base = ""
		}
	}
	switch {
	case path.IsAbs(name):
		return path.Clean(name)
	case base == "":
		return ""
	}
	return path.Join(base, name)
}
