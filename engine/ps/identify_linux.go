package ps

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
	"strings"

	"github.com/weftrun/weft/engine/keeper"
)

// weftOf returns the weft of a keeper, or nil if k is no keeper or its parent no weft. A
// name proves nothing: both must be processes of this user with the same program, which must
// be weft, and the keeper must have a control socket. The first process of a container is
// left out: it must not be ended from within.
func weftOf(k *process, ps map[int]*process) *process {
	weft := ps[k.parent]
	if !k.own || !k.calledKeeper() || weft == nil || !weft.own || weft.pid == 1 || weft.calledKeeper() {
		return nil
	}
	exe := file(k.pid, "exe")
	if !sameFile(exe, file(weft.pid, "exe")) || !hasControl(k.pid) || !isWeft(exe) {
		return nil
	}
	return weft
}

func sameFile(a, b string) bool {
	ia, err := os.Stat(a)
	if err != nil {
		return false
	}
	ib, err := os.Stat(b)
	return err == nil && os.SameFile(ia, ib)
}

// isWeft reports whether a program is weft: this file, or one that contains the package
// keeper.
func isWeft(exe string) bool {
	return sameFile(exe, "/proc/self/exe") || contains(exe, "github.com/weftrun/weft/engine/keeper.")
}

// mostSearched is how much of a program is searched, in bytes. weft is far smaller.
const mostSearched = 256 << 20

// contains reports whether a file contains text.
func contains(name, text string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	b := make([]byte, 1<<20)
	for have, total := 0, 0; total < mostSearched; {
		n, err := f.Read(b[have:])
		total, have = total+n, have+n
		if bytes.Contains(b[:have], []byte(text)) {
			return true
		}
		if err != nil {
			return false
		}
		have = copy(b, b[max(0, have-len(text)):have])
	}
	return false
}

// hasControl reports whether a process has a keeper's control socket.
func hasControl(pid int) bool {
	link, err := os.Readlink(file(pid, "fd/"+strconv.Itoa(keeper.Control)))
	number, ok := strings.CutPrefix(link, "socket:[")
	if err != nil || !ok {
		return false
	}
	number = strings.TrimSuffix(number, "]")
	list, err := os.Open(file(pid, "net/unix"))
	if err != nil {
		return false
	}
	defer list.Close()
	const sequencedPackets = "0005"
	for lines := bufio.NewScanner(list); lines.Scan(); {
		// The fields are Num RefCount Protocol Flags Type State Inode, and a path.
		if f := strings.Fields(lines.Text()); len(f) >= 7 && f[6] == number {
			return f[4] == sequencedPackets
		}
	}
	return false
}
