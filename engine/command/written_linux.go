package command

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// pipeName returns the name that /proc shows for the pipe with that info.
func pipeName(info os.FileInfo) string {
	st, _ := info.Sys().(*syscall.Stat_t)
	return "pipe:[" + strconv.FormatUint(st.Ino, 10) + "]"
}

// writtenBy returns how many bytes a process has written, anywhere. writes is false if the pipe is
// not its standard output.
func writtenBy(pid int, pipe string) (n int64, writes bool) {
	dir := "/proc/" + strconv.Itoa(pid)
	if to, err := os.Readlink(dir + "/fd/1"); err != nil || to != pipe {
		return 0, false
	}
	text, err := os.ReadFile(dir + "/io")
	if err != nil {
		return 0, false
	}
	_, text, _ = bytes.Cut(text, []byte("wchar: "))
	text, _, ok := bytes.Cut(text, []byte{'\n'})
	n, err = strconv.ParseInt(string(text), 10, 64)
	return n, ok && err == nil
}
