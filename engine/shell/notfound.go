package shell

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/weftrun/weft/schema/diag"
)

// Exit statuses for programs that could not be started.
const (
	notExecutable = 126
	notFound      = 127
)

// unfound returns the message and the exit status for a program that was not found, which is
// the error err.
func unfound(dir, name string, err error) (why string, status int) {
	if strings.Contains(name, "/") {
		if info, serr := os.Stat(absolute(dir, name)); serr == nil {
			shown := diag.Printable(name)
			if info.IsDir() {
				return shown + ": is a directory", notExecutable
			}
			return fmt.Sprintf("%s: permission denied: it is not executable; chmod +x %s", shown, shown), notExecutable
		}
	}
	return diag.Printable(err.Error()), notFound
}

// unstarted returns the message and the exit status for a program that the system could not
// start, which is the error err, as shells do. A status of 0 means that the program is not the
// reason.
func unstarted(name, path string, err error) (why string, status int) {
	var pe *fs.PathError
	var errno syscall.Errno
	if !errors.As(err, &pe) || pe.Op != "fork/exec" || !errors.As(err, &errno) {
		return "", 0
	}
	shown := diag.Printable(name)
	interpreter := interpreterOf(path)
	switch errno {
	case syscall.ENOENT:
		switch {
		case strings.HasSuffix(interpreter, "\r"):
			return carriageReturn(shown, interpreter), notExecutable
		case interpreter != "":
			return fmt.Sprintf("%s: its interpreter is missing: no file %q", shown, interpreter), notFound
		}
		if _, serr := os.Stat(path); serr == nil {
			return shown + ": cannot be run: the loader for its format is missing", notFound
		}
		return shown + ": no such file", notFound
	case syscall.EACCES, syscall.EPERM:
		if interpreter != "" {
			return fmt.Sprintf("%s: its interpreter %q cannot be executed: %v", shown, interpreter, errno), notExecutable
		}
	case syscall.E2BIG, syscall.ELOOP, syscall.ENOTDIR, syscall.EISDIR, syscall.ETXTBSY:
	default:
		return "", 0
	}
	return fmt.Sprintf("%s: %v", shown, errno), notExecutable
}

// firstLine returns the first line of a file, or as much of it as systems read to find an
// interpreter.
func firstLine(path string) []byte {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	b := make([]byte, 256)
	n, _ := io.ReadFull(f, b)
	line, _, _ := bytes.Cut(b[:n], []byte("\n"))
	return line
}

// interpreterOf returns the interpreter in the first line of a script, with a carriage return
// after it if there is one, or "".
func interpreterOf(path string) string {
	line, ok := bytes.CutPrefix(firstLine(path), []byte("#!"))
	if !ok {
		return ""
	}
	line = bytes.TrimLeft(line, " \t")
	if i := bytes.IndexAny(line, " \t"); i >= 0 {
		line = line[:i]
	}
	return string(line)
}

// carriageReturn returns the message for a script with the line ends of Windows.
func carriageReturn(shown, found string) string {
	return fmt.Sprintf("%s: its first line ends with a carriage return, so the interpreter is %q; save it with Unix line ends (sed -i 's/\\r$//' %s)", shown, found, shown)
}

// endedUnfound explains why a program has ended with the status notFound, if its first line is
// `#!/usr/bin/env NAME` with a carriage return.
func endedUnfound(w io.Writer, name, path string) {
	line := firstLine(path)
	if w == nil || !bytes.HasPrefix(line, []byte("#!")) || !bytes.HasSuffix(line, []byte("\r")) {
		return
	}
	words := bytes.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
	fmt.Fprintln(w, carriageReturn(diag.Printable(name), string(words[len(words)-1])))
}
