package socket

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// lookLimit is the time limit for finding the owner of a socket, for which all descriptors of all
// processes may have to be checked.
const lookLimit = 2 * time.Second

// taken returns the error of an address that is in use.
func (a *address) taken() *TakenError {
	e := &TakenError{Address: a.text}
	dir := a.holder()
	if dir == "" {
		return e
	}
	if e.Ours = filepath.Base(dir) == strconv.Itoa(os.Getpid()); e.Ours {
		e.By = "this run of weft"
	} else {
		e.By = describe(dir)
	}
	return e
}

// holder returns the directory in /proc of the process that listens at the address, "" if it
// cannot be seen.
func (a *address) holder() string {
	inodes := a.inodes()
	if len(inodes) == 0 {
		return ""
	}
	pids, err := filepath.Glob("/proc/[1-9]*")
	if err != nil {
		return ""
	}
	// The oldest one has most likely opened it, and others have inherited it.
	sort.Slice(pids, func(i, j int) bool {
		a, b := pids[i], pids[j]
		return len(a) < len(b) || len(a) == len(b) && a < b
	})
	until := time.Now().Add(lookLimit)
	for _, dir := range pids {
		if time.Now().After(until) {
			return ""
		}
		if has(dir, inodes) {
			return dir
		}
	}
	return ""
}

// has reports whether the process has one of the sockets open.
func has(dir string, inodes []string) bool {
	links, _ := filepath.Glob(filepath.Join(dir, "fd", "*"))
	return slices.ContainsFunc(links, func(link string) bool {
		to, _ := os.Readlink(link)
		inode, ok := strings.CutPrefix(to, "socket:[")
		return ok && slices.Contains(inodes, strings.TrimSuffix(inode, "]"))
	})
}

// describe names the program of a process.
func describe(dir string) string {
	argv, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
	name, _, _ := bytes.Cut(argv, []byte{0})
	if len(name) == 0 {
		name, _ = os.ReadFile(filepath.Join(dir, "comm"))
	}
	return fmt.Sprintf("%s (pid %s)", filepath.Base(strings.TrimSpace(string(name))), filepath.Base(dir))
}

// inodes returns the numbers of the sockets that listen at the address.
func (a *address) inodes() (found []string) {
	if a.network == "unix" {
		eachRow("/proc/net/unix", func(f []string) {
			// Num RefCount Protocol Flags Type St Inode Path
			if len(f) >= 8 && f[3] == "00010000" && strings.Join(f[7:], " ") == a.text {
				found = append(found, f[6])
			}
		})
		return found
	}
	host, _, _ := net.SplitHostPort(a.text)
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		eachRow(file, func(f []string) {
			// sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode
			if len(f) < 10 || f[3] != "0A" {
				return
			}
			at, ok := parseRow(f[1])
			if ok && int(at.Port()) == a.port && meets(at.Addr(), host) {
				found = append(found, f[9])
			}
		})
	}
	return found
}

// meets reports whether a socket that listens at an address keeps another one from host.
func meets(at netip.Addr, host string) bool {
	wanted, err := netip.ParseAddr(host)
	switch {
	case at.IsUnspecified() || err == nil && wanted.IsUnspecified():
		return true
	case err != nil: // a name, or none: of this machine mostly
		return host == "" || at.IsLoopback()
	}
	return at == wanted
}

// eachRow calls f with the fields of each line of a table but the first.
func eachRow(file string, f func(fields []string)) {
	t, err := os.Open(file)
	if err != nil {
		return
	}
	defer t.Close()
	lines := bufio.NewScanner(t)
	for lines.Scan() {
		f(strings.Fields(lines.Text()))
	}
}

// parseRow reads an address as the kernel shows it: words of four bytes in the order of this
// machine, in hexadecimal, and the port.
func parseRow(text string) (netip.AddrPort, bool) {
	host, number, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(host)
	port, err2 := strconv.ParseUint(number, 16, 16)
	if err != nil || err2 != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(b, 4) {
		slices.Reverse(word) // all systems that weft is built for are little-endian
	}
	addr, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), ok
}
