package proc

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// children returns the processes whose parent is weft.
func children() []int {
	err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT|unix.WALL, nil)
	if err == unix.ECHILD {
		return nil // usual, and cheap to find out
	}
	var out []int
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	if lists == nil { // a kernel without them
		all, _ := filepath.Glob("/proc/[0-9]*")
		for _, dir := range all {
			if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && parentOf(pid) == os.Getpid() {
				out = append(out, pid)
			}
		}
	}
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for f := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(f); err == nil {
				out = append(out, pid)
			}
		}
	}
	return out
}

// sweep kills and reaps weft's children, and the orphans that these leave, except inherited ones
// and the KEEPERs of other tables. No other goroutine may wait for children meanwhile.
func sweep(inherited []int) {
	for end := time.Now().Add(killLimit); time.Now().Before(end); {
		found := false
		for _, pid := range children() {
			if slices.Contains(inherited, pid) {
				continue
			}
			keepers.callUnlessKeeper(pid, func() {
				found = true
				syscall.Kill(pid, syscall.SIGKILL)
				var status syscall.WaitStatus
				if p, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil); err == nil && p == pid {
					end = time.Now().Add(killLimit)
				}
			})
		}
		if !found {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// ancestorIn reports whether a process above this one was started by a step, according to its
// environment, even if that of this one was cleared. Processes of other users are unknown.
func ancestorIn(step string) bool {
	for pid := os.Getppid(); pid > 0; pid = parentOf(pid) {
		environ, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
		if slices.Contains(outerSteps(strings.Split(string(environ), "\x00")), step) {
			return true
		}
	}
	return false
}
