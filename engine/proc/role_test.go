//go:build unix

package proc

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weftrun/weft/internal/termios"
)

// roles are the programs this test binary can be, by PROC_TEST_ROLE: small
// runners, started on a terminal of their own. They say "over" at the end, and wait for a line.
func roles(role string) int {
	interrupts := make(chan struct{}, 9)
	t := NewTable(Options{Terminal: os.Stdin, OnInterrupt: func(bool) { interrupts <- struct{}{} }})
	run := func(o GroupOptions, stdin *os.File, script string) Status {
		g := t.NewGroup(o)
		defer g.Close()
		return in(g, stdin, script)
	}
	switch role {
	case "owner": // gets the foreground at once, and again for the next program
		g := t.NewGroup(GroupOptions{Terminal: true})
		in(g, os.Stdin, "echo ask; read x; echo got:$x")
		in(g, os.Stdin, "echo ask; read x; echo got:$x")
		g.Close()
	case "two": // neither has the right to the terminal; both get it
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { run(GroupOptions{}, nil, "read x </dev/tty; echo got:$x >/dev/tty") })
		}
		fmt.Println("ask")
		wg.Wait()
	case "many": // more than ever get it at once
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { run(GroupOptions{}, nil, "read x </dev/tty; echo got:$x >/dev/tty") })
		}
		fmt.Println("ask")
		wg.Wait()
	case "raw": // sets the terminal from the background, and is killed in raw mode
		before, _ := termios.Get(0)
		run(GroupOptions{}, nil, "stty raw -echo </dev/tty; echo ask; dd bs=1 count=1 </dev/tty >/dev/null 2>&1; kill -9 $$")
		after, _ := termios.Get(0)
		fmt.Println("restored:", *before == *after)
	case "stty": // a change meant for the rest of the step, undone after it
		g := t.NewGroup(GroupOptions{Terminal: true})
		in(g, os.Stdin, "stty -echo")
		during, _ := termios.Get(0)
		g.Close()
		after, _ := termios.Get(0)
		fmt.Println("echo:", during.Lflag&unix.ECHO != 0, after.Lflag&unix.ECHO != 0)
	case "interrupt": // only the owner receives Ctrl-C; weft is notified once
		g := t.NewGroup(GroupOptions{Terminal: true})
		p, err := g.Start(&Spec{Path: "/bin/sleep", Argv: []string{"sleep", "60"}, Stdin: os.Stdin})
		if err != nil {
			return 1
		}
		s := in(g, os.Stdin, "echo ask; exec sleep 60")
		p.Wait()
		<-interrupts
		fmt.Println("signal:", s.Signal == syscall.SIGINT, len(interrupts))
		g.Close()
	case "caught": // a program that handles Ctrl-C continues
		s := run(GroupOptions{Terminal: true}, os.Stdin, "trap 'echo mine; exit 0' INT; echo ask; i=0; while [ $i -lt 2000 ]; do sleep 0.01; i=$((i+1)); done; exit 9")
		fmt.Println("code:", s.Code, len(interrupts))
	case "suspend": // no process could continue weft here, so everything continues
		g := t.NewGroup(GroupOptions{Terminal: true})
		other := t.NewGroup(GroupOptions{})
		var wg sync.WaitGroup
		wg.Go(func() { in(other, nil, "sleep 60") })
		in(g, os.Stdin, "echo ask; read x; echo got:$x")
		g.Close()
		other.Kill(errors.New("over"))
		wg.Wait()
	case "stopped": // when the owner is being stopped, Ctrl-C is weft's again
		g := t.NewGroup(GroupOptions{Terminal: true})
		p, err := g.Start(&Spec{Path: "/bin/sh", Argv: []string{"sh", "-c", "trap '' INT; sleep 60"}, Env: os.Environ(), Stdin: os.Stdin})
		if err != nil {
			return 1
		}
		g.Stop(errors.New("x"), Ladder{Signal: syscall.SIGINT})
		fg, _ := unix.IoctlGetInt(0, unix.TIOCGPGRP)
		fmt.Println("ours:", fg == syscall.Getpgrp())
		g.Kill(errors.New("y"))
		p.Wait()
	case "reaper": // as the first process of a container, beside tables that come and go
		t.ReapOrphans()
		for range 100 {
			other := NewTable(Options{OnLost: func() { fmt.Println("lost") }})
			g := other.NewGroup(GroupOptions{})
			if s := in(g, nil, "exit 3"); s.Code != 3 {
				fmt.Println("code:", s.Code)
			}
			g.Close()
			other.Close(false)
		}
	case "user": // who owns KEEPER after it has started a program of another user
		g := t.NewGroup(GroupOptions{})
		if _, err := g.Run(&Spec{Path: "/bin/true", Setup: &Setup{User: &User{UID: 65534, GID: 65534}}}); err != nil {
			fmt.Println(err)
		}
		in(g, nil, "echo group $(stat -c %g /proc/$PPID/environ)")
		g.Close()
	case "pdeathsig":
		showDeathSignal()
	case "read": // weft itself reads while a program of the same step runs
		g := t.NewGroup(GroupOptions{Terminal: true})
		p, err := g.Start(&Spec{Path: "/bin/sleep", Argv: []string{"sleep", "1000"}, Stdin: os.Stdin})
		if err != nil {
			return 1
		}
		release, _ := g.Read()
		fmt.Println("ask")
		var x string
		fmt.Scan(&x)
		release()
		fmt.Println("got:" + x)
		g.Kill(errors.New("over"))
		p.Wait()
	}
	t.Close(false)
	fmt.Println("over")
	// A terminal may forget what was written right before its last user left.
	os.Stdin.Read(make([]byte, 1))
	return 0
}

// in runs a script in g.
func in(g *Group, stdin *os.File, script string) Status {
	p, err := g.Start(&Spec{Path: "/bin/sh", Argv: []string{"sh", "-c", script}, Env: os.Environ(), Stdin: stdin, Stdout: os.Stdout, Stderr: os.Stderr})
	if err != nil {
		fmt.Println(err)
		return Status{Code: -1}
	}
	s, _ := p.Wait()
	return s
}
