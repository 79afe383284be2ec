package sched

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
)

// load reads from /proc/stat whether a CPU was idle.
type load struct {
	ticks uint64 // idle ticks of all CPUs at the last call
	buf   []byte
}

func newLoad() *load { return &load{} }

// idle reports whether a CPU was idle since the last call: the kernel counted an idle tick, or
// fewer tasks are runnable now than there are CPUs. It returns false if the system does not report
// this.
func (l *load) idle() bool {
	f, err := os.Open("/proc/stat")
	if err != nil {
		return false
	}
	defer f.Close()
	if l.buf == nil {
		l.buf = make([]byte, 64<<10)
	}
	n, _ := f.Read(l.buf)
	ticks, runnable := parseStat(l.buf[:n])
	before := l.ticks
	l.ticks = ticks
	// weft itself is runnable while it reads the file.
	return before != 0 && ticks > before || runnable > 0 && runnable-1 < runtime.NumCPU()
}

// parseStat returns the idle and iowait ticks of all CPUs together and the number of runnable tasks
// (0 if unknown). See proc(5).
func parseStat(b []byte) (idle uint64, runnable int) {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	fields := bytes.Fields(line)
	for i := 4; i <= 5 && i < len(fields); i++ {
		n, _ := strconv.ParseUint(string(fields[i]), 10, 64)
		idle += n
	}
	if _, rest, ok := bytes.Cut(b, []byte("procs_running ")); ok {
		line, _, _ := bytes.Cut(rest, []byte("\n"))
		runnable, _ = strconv.Atoi(string(line))
	}
	return idle, runnable
}
