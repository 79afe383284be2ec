//go:build unix

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// recordedNode is a program that uses its channel, byte by byte, as Node 20 was observed to do: for
// machines without Node. Its arguments are its actions, in order: reads and sends. It fails like
// Node if something differs.
func recordedNode() {
	fd, err := strconv.Atoi(os.Getenv("NODE_CHANNEL_FD"))
	if err != nil || os.Getenv("NODE_CHANNEL_SERIALIZATION_MODE") != "json" {
		fmt.Println("send undefined") // what its scripts see of process.send
		return
	}
	if kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || kind != unix.SOCK_STREAM {
		os.Exit(128 + int(syscall.SIGABRT))
	}
	channel := os.NewFile(uintptr(fd), "channel")
	in := bufio.NewReader(channel)
	for _, arg := range os.Args[1:] {
		verb, rest, _ := strings.Cut(arg, " ")
		switch verb {
		case "recv":
			if line, err := in.ReadString('\n'); line != rest+"\n" {
				fmt.Printf("got %q, %v instead of %q\n", line, err, rest)
				os.Exit(1)
			}
		case "eof":
			if line, err := in.ReadString('\n'); line != "" || err == nil {
				fmt.Printf("got %q, %v instead of the end\n", line, err)
				os.Exit(1)
			}
			fmt.Println("disconnect")
		case "send":
			channel.WriteString(rest + "\n")
		case "part": // of a message; Node writes as much as there is room for
			channel.WriteString(rest)
		case "pass": // with the descriptor of a pipe that the receiver must close
			r, w, err := os.Pipe()
			if err == nil {
				err = unix.Sendmsg(fd, []byte(rest+"\n"), unix.UnixRights(int(w.Fd())), nil, 0)
				w.Close()
			}
			if err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			r.Read(make([]byte, 1))
			fmt.Println("closed")
		}
	}
}

// TestChannelMemory: unused messages cost no memory, and the longest one arrives whole and costs a
// few times its size.
func TestChannelMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the programs; skipped with -short")
	}
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("there is no bash")
	}
	bin, err := buildBoth()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	const taskfile = `version: '3'
silent: true
tasks:
  unread: {shell: bash, ipc: true, cmd: 'seq 200000 | sed "s/.*/{\"n\":&,\"pad\":\"$(printf %0100d 0)\"}/" >&3'}
  longest: {shell: bash, ipc: {expect: 1}, cmd: '{ printf "\""; head -c 67108862 /dev/zero | tr "\0" x; echo "\""; } >&3'}
`
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte(taskfile), 0o644); err != nil {
		t.Fatal(err)
	}
	for task, most := range map[string]int64{"unread": 128 << 20, "longest": 512 << 20} {
		cmd := exec.Command(filepath.Join(bin, "weft"), "--events", task, task)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", task, err, out)
		}
		peak := int64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
		if runtime.GOOS != "darwin" {
			peak <<= 10
		}
		if peak > most {
			t.Errorf("%s: weft takes %d MiB", task, peak>>20)
		}
		events, err := os.ReadFile(filepath.Join(dir, task))
		if err != nil {
			t.Fatal(err)
		}
		messages, whole := bytes.Count(events, []byte(`"event":"message"`)), bytes.Contains(events, []byte(`"size":67108864`))
		if task == "unread" && messages != 200_000 || task == "longest" && (messages != 1 || !whole) {
			t.Errorf("%s: %d messages", task, messages)
		}
	}
}
