package ps

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weftrun/weft/internal/procstat"
)

// measure notes what a process uses. listening are the ports by the sockets that listen at them.
func (p *Process) measure(listening map[string]int) {
	text, _ := os.ReadFile(file(p.Pid, "stat"))
	if s, ok := procstat.Parse(text); ok {
		const ticks = 100 // USER_HZ, the same on every architecture of ours
		p.CPU = time.Duration(s.CPU) * (time.Second / ticks)
	}
	// The size is the first field, what is in memory the second, in pages.
	if text, _ := os.ReadFile(file(p.Pid, "statm")); len(text) > 0 {
		if f := strings.Fields(string(text)); len(f) > 1 {
			pages, _ := strconv.ParseInt(f[1], 10, 64)
			p.Memory = pages * int64(os.Getpagesize())
		}
	}
	if len(listening) == 0 {
		return
	}
	links, _ := filepath.Glob(file(p.Pid, "fd/*"))
	for _, link := range links {
		to, _ := os.Readlink(link)
		if port, ok := listening[to]; ok && !slices.Contains(p.Ports, port) {
			p.Ports = append(p.Ports, port)
		}
	}
	slices.Sort(p.Ports)
}

// listening returns the TCP ports in state LISTEN, by the names of the sockets in
// /proc/PID/fd, as a process sees them.
func listening(pid int) map[string]int {
	all := map[string]int{}
	for _, table := range [...]string{"net/tcp", "net/tcp6"} {
		f, err := os.Open(file(pid, table))
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			// sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode
			const listens = "0A"
			row := strings.Fields(lines.Text())
			if len(row) < 10 || row[3] != listens {
				continue
			}
			_, hex, _ := strings.Cut(row[1], ":")
			if port, err := strconv.ParseUint(hex, 16, 16); err == nil {
				all["socket:["+row[9]+"]"] = int(port)
			}
		}
		f.Close()
	}
	return all
}
