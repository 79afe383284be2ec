//go:build unix

package command

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/socket"
	"github.com/weftrun/weft/schema/diag"
)

// connects reports whether a Unix socket has a listener.
func connects(path string) bool {
	c, err := net.Dial("unix", path)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// TestSocketsReplaced replaces a service by one that listens at some of its addresses.
func TestSocketsReplaced(t *testing.T) {
	dir := t.TempDir()
	a, b, c := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "c")
	var none, first, second sockets
	if err := first.listen(t.Context(), []plan.Listener{{Name: "a", Address: a}, {Name: "b", Address: b}}, dir, &none); err != nil {
		t.Fatal(err)
	}
	if err := second.listen(t.Context(), []plan.Listener{{Name: "c", Address: c}, {Name: "renamed", Address: a}}, dir, &first); err != nil {
		t.Fatal(err)
	}
	first.close()
	if !connects(a) || connects(b) || !connects(c) {
		t.Errorf("after the first has ended: a %t, b %t, c %t", connects(a), connects(b), connects(c))
	}
	in, err := second.inherit()
	if err != nil || len(in.sockets) != 2 || in.names[0] != "c" || in.names[1] != "renamed" {
		t.Errorf("%+v, %v", in, err)
	}
	if late := first.at(a, dir); late != nil {
		t.Error("taken over from one that has ended")
	}
	second.close()
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if in, err := none.inherit(); in != nil || err != nil {
		t.Errorf("%+v, %v", in, err)
	}
}

// TestSocketsInTheWay replaces a service by one with the same address in a different spelling.
func TestSocketsInTheWay(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("who has a socket is not known here")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	var none, first, second, other sockets
	if err := first.listen(t.Context(), []plan.Listener{{Name: "a", Address: path}}, dir, &none); err != nil {
		t.Fatal(err)
	}
	same := []plan.Listener{{Name: "free", Address: "unix:b"}, {Name: "a", Address: "unix:a"}}
	err := other.listen(t.Context(), same, dir, &none)
	var taken *socket.TakenError
	var d *diag.Diagnostic
	if !errors.As(err, &taken) || !errors.As(err, &d) || connects(filepath.Join(dir, "b")) {
		t.Errorf("it is taken, and yet %v", err)
	}
	if err := second.listen(t.Context(), same, dir, &first); err != nil {
		t.Fatal(err)
	}
	first.close()
	if err := second.open(t.Context()); err != nil || !connects(path) {
		t.Errorf("it is free, and yet %v", err)
	}
	second.close()
	if connects(path) {
		t.Error("open after the end")
	}
}
