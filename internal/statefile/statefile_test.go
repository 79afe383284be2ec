//go:build unix

package statefile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// unsafeBecause fails the test unless err is an Unsafe with that reason.
func unsafeBecause(t *testing.T, err error, why string) {
	t.Helper()
	var u *Unsafe
	if !errors.As(err, &u) || !strings.Contains(u.Why, why) || u.Fix == "" || !filepath.IsAbs(u.Path) {
		t.Errorf("got %v, want an Unsafe: %s", err, why)
	}
}

func place(t *testing.T) Place {
	base := t.TempDir()
	return Place{Base: base, Path: ".weft", Project: base}
}

func mustMake(t *testing.T, p Place) *Dir {
	t.Helper()
	d, err := p.Make()
	must(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

func TestReadAndWrite(t *testing.T) {
	p := place(t)
	if _, err := p.Open(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	d := mustMake(t, p)
	if _, err := d.ReadFile("f", 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	must(t, d.WriteFile("f", []byte("one")))
	must(t, d.WriteFile("f", []byte("two")))
	if b, err := d.ReadFile("f", 3); err != nil || string(b) != "two" {
		t.Errorf("%q, %v", b, err)
	}
	_, err := d.ReadFile("f", 2)
	unsafeBecause(t, err, "3 bytes")
	st, err := os.Stat(filepath.Join(p.String(), "f"))
	must(t, err)
	if st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", st.Mode())
	}
	if names, err := d.Names(); err != nil || len(names) != 1 || names[0] != "f" {
		t.Errorf("%q, %v", names, err)
	}
	sub, err := d.Sub("sub", true)
	must(t, err)
	defer sub.Close()
	must(t, sub.WriteFile("g", nil))
	if _, err := os.Stat(filepath.Join(p.String(), "sub", "g")); err != nil {
		t.Error(err)
	}
}

func TestBaseIsMade(t *testing.T) {
	p := Place{Base: filepath.Join(t.TempDir(), "a", "b"), Path: "weft", Private: true}
	mustMake(t, p)
	st, err := os.Stat(p.String())
	must(t, err)
	if st.Mode().Perm() != 0o700 {
		t.Errorf("mode %v", st.Mode())
	}
}

// Files planted in the place of a file of state are neither read nor written, and nothing waits.
func TestUnsafeFiles(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(t *testing.T, file, target string)
		why     string
	}{
		{"link", func(t *testing.T, file, target string) { must(t, os.Symlink(target, file)) }, "symbolic link"},
		{"dangling link", func(t *testing.T, file, target string) { must(t, os.Symlink(target+"-new", file)) }, "symbolic link"},
		{"hard link", func(t *testing.T, file, target string) { must(t, os.Link(target, file)) }, "hard link"},
		{"pipe", func(t *testing.T, file, _ string) { must(t, syscall.Mkfifo(file, 0o600)) }, "named pipe"},
		{"directory", func(t *testing.T, file, _ string) { must(t, os.Mkdir(file, 0o755)) }, "directory"},
		{"socket", func(t *testing.T, file, _ string) {
			fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			must(t, err)
			defer syscall.Close(fd)
			must(t, os.Chdir(filepath.Dir(file)))
			must(t, syscall.Bind(fd, &syscall.SockaddrUnix{Name: filepath.Base(file)}))
		}, "socket"},
		{"everybody's", func(t *testing.T, file, _ string) {
			must(t, os.WriteFile(file, nil, 0o600))
			must(t, os.Chmod(file, 0o606))
		}, "every user"},
		{"another user's", func(t *testing.T, file, _ string) {
			must(t, os.WriteFile(file, nil, 0o600))
			if err := os.Chown(file, 12345, -1); err != nil {
				t.Skip("only root can give a file away")
			}
		}, "belongs to user 12345"},
		{"holes", func(t *testing.T, file, _ string) {
			must(t, os.WriteFile(file, nil, 0o600))
			if err := os.Truncate(file, 16<<30); err != nil {
				t.Skip(err)
			}
		}, ""},
		{"large", func(t *testing.T, file, _ string) {
			must(t, os.WriteFile(file, make([]byte, 2<<20), 0o600))
		}, "bytes, more than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			p := place(t)
			d := mustMake(t, p)
			file, target := filepath.Join(p.String(), "f"), filepath.Join(p.Base, "target")
			must(t, os.WriteFile(target, []byte("precious"), 0o644))
			tt.prepare(t, file, target)
			b, err := d.ReadFile("f", 1<<20)
			if tt.why == "" {
				if err != nil || len(b) > 1<<20 {
					t.Errorf("%d bytes, %v", len(b), err)
				}
				return
			}
			unsafeBecause(t, err, tt.why)
			if tt.name == "large" {
				return
			}
			_, err = d.OpenFile("f", os.O_RDWR|os.O_CREATE)
			unsafeBecause(t, err, tt.why)
			_, err = d.TryLock("f", "me")
			unsafeBecause(t, err, tt.why)
			if err := d.WriteFile("f", []byte("new")); err != nil && tt.name != "directory" {
				t.Errorf("cannot be replaced: %v", err)
			}
			if b, err := os.ReadFile(target); err != nil || string(b) != "precious" {
				t.Errorf("the target: %q, %v", b, err)
			}
			if _, err := os.Lstat(target + "-new"); err == nil {
				t.Error("written through the link")
			}
		})
	}
}

func TestUnsafeDirectories(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(t *testing.T, p *Place, elsewhere string)
		why     string
	}{
		{"link", func(t *testing.T, p *Place, elsewhere string) { must(t, os.Symlink(elsewhere, p.String())) }, "symbolic link"},
		{"link before it", func(t *testing.T, p *Place, elsewhere string) {
			must(t, os.Symlink(elsewhere, filepath.Join(p.Base, "a")))
			p.Path = "a/.weft"
		}, "symbolic link"},
		{"file", func(t *testing.T, p *Place, _ string) { must(t, os.WriteFile(p.String(), nil, 0o644)) }, "not a directory"},
		{"pipe", func(t *testing.T, p *Place, _ string) { must(t, syscall.Mkfifo(p.String(), 0o644)) }, "named pipe"},
		{"everybody's", func(t *testing.T, p *Place, _ string) {
			must(t, os.Mkdir(p.String(), 0o755))
			must(t, os.Chmod(p.String(), 0o777|fs.ModeSticky))
		}, "every user"},
		{"group's, private", func(t *testing.T, p *Place, _ string) {
			p.Private = true
			must(t, os.Mkdir(p.String(), 0o755))
			must(t, os.Chmod(p.String(), 0o770))
		}, "other users"},
		{"another user's", func(t *testing.T, p *Place, _ string) {
			must(t, os.Mkdir(p.String(), 0o755))
			if err := os.Chown(p.String(), 12345, -1); err != nil {
				t.Skip("only root can give a directory away")
			}
		}, "belongs to user 12345"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := place(t)
			elsewhere := t.TempDir()
			tt.prepare(t, &p, elsewhere)
			_, err := p.Open()
			unsafeBecause(t, err, tt.why)
			_, err = p.Make()
			unsafeBecause(t, err, tt.why)
			if entries, _ := os.ReadDir(elsewhere); len(entries) > 0 {
				t.Error("something was made behind the link")
			}
		})
	}
}

// The same for a directory in a valid one.
func TestUnsafeSub(t *testing.T) {
	p := place(t)
	d := mustMake(t, p)
	elsewhere := t.TempDir()
	must(t, os.Symlink(elsewhere, filepath.Join(p.String(), "locks")))
	for _, create := range []bool{false, true} {
		_, err := d.Sub("locks", create)
		unsafeBecause(t, err, "symbolic link")
	}
}

// A base belongs to the user: links in it are followed, but nothing waits for it.
func TestBase(t *testing.T) {
	p := place(t)
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(p.Base, link))
	p.Base = link
	mustMake(t, p)
	fifo := filepath.Join(t.TempDir(), "fifo")
	must(t, syscall.Mkfifo(fifo, 0o600))
	if _, err := (Place{Base: fifo, Path: "x"}).Open(); err == nil {
		t.Error("a pipe is a directory")
	}
}

// Root uses files of the owner of the project, and of no other user.
func TestRootInProject(t *testing.T) {
	p := place(t)
	if err := os.Chown(p.Base, 12345, -1); err != nil {
		t.Skip("only root can give a directory away")
	}
	must(t, os.Mkdir(p.String(), 0o755))
	must(t, os.Chown(p.String(), 12345, -1))
	d := mustMake(t, p)
	file := filepath.Join(p.String(), "f")
	must(t, os.WriteFile(file, []byte("x"), 0o600))
	must(t, os.Chown(file, 12345, -1))
	if b, err := d.ReadFile("f", 10); err != nil || string(b) != "x" {
		t.Errorf("the owner's: %q, %v", b, err)
	}
	must(t, os.Chown(file, 54321, -1))
	_, err := d.ReadFile("f", 10)
	unsafeBecause(t, err, "belongs to user 54321")
	p.Project = ""
	_, err = p.Open()
	unsafeBecause(t, err, "belongs to user 12345")
}

// Files that root creates in a project belong to the owner of the project, and no others do.
func TestRootCreates(t *testing.T) {
	p := place(t)
	if err := os.Chown(p.Base, 12345, 23456); err != nil {
		t.Skip("only root can give a directory away")
	}
	d := mustMake(t, p)
	must(t, d.IgnoreByGit())
	must(t, d.WriteFile("f", []byte("x")))
	must(t, os.WriteFile(filepath.Join(p.String(), "roots"), nil, 0o600))
	for _, name := range []string{"opened", "roots"} {
		f, err := d.OpenFile(name, os.O_RDWR|os.O_CREATE)
		must(t, err)
		f.Close()
	}
	sub, err := d.Sub("sub", true)
	must(t, err)
	must(t, sub.WriteFile("f", nil))
	sub.Close()
	elsewhere := Place{Base: t.TempDir(), Path: "x", Project: p.Project}
	mustMake(t, elsewhere)
	for path, want := range map[string]uint32{p.String(): 12345, p.String() + "/" + ignoreName: 12345, p.String() + "/f": 12345, p.String() + "/opened": 12345, p.String() + "/roots": 0, p.String() + "/sub": 12345, p.String() + "/sub/f": 12345, elsewhere.String(): 0} {
		info, err := os.Lstat(path)
		must(t, err)
		if st := info.Sys().(*syscall.Stat_t); st.Uid != want || (st.Gid == 23456) != (want == 12345) {
			t.Errorf("%s belongs to %d:%d, want %d", path, st.Uid, st.Gid, want)
		}
	}
}

// A file that replaces another after it was opened is neither read nor written.
func TestReplacedMeanwhile(t *testing.T) {
	p := place(t)
	d := mustMake(t, p)
	must(t, d.WriteFile("f", []byte("old")))
	f, err := d.OpenFile("f", os.O_RDWR)
	must(t, err)
	defer f.Close()
	if !d.Is("f", f) {
		t.Error("not itself")
	}
	target := filepath.Join(p.Base, "target")
	must(t, os.WriteFile(target, []byte("precious"), 0o600))
	must(t, os.Remove(f.Name()))
	must(t, os.Symlink(target, f.Name()))
	if d.Is("f", f) {
		t.Error("a link to something else is still it")
	}
	// The same for the directory: the opened one is used.
	must(t, os.Rename(p.String(), p.String()+"-moved"))
	must(t, os.Symlink(p.Base, p.String()))
	must(t, d.WriteFile("target", []byte("state")))
	if b, _ := os.ReadFile(target); string(b) != "precious" {
		t.Errorf("the target: %q", b)
	}
}

func TestLock(t *testing.T) {
	d := mustMake(t, place(t))
	l, err := d.TryLock("l", "me")
	must(t, err)
	if _, err := d.TryLock("l", "you"); !errors.Is(err, ErrLocked) {
		t.Errorf("twice: %v", err)
	}
	if got := d.Holder("l"); got != "me" {
		t.Errorf("holder %q", got)
	}
	enough := errors.New("enough")
	waits := 0
	if _, err := d.Lock(t.Context(), "l", "you", func() error {
		if waits++; waits == 3 {
			return enough
		}
		return nil
	}); err != enough {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := d.Lock(ctx, "l", "you", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	got := make(chan *Lock)
	go func() {
		l, err := d.Lock(t.Context(), "l", "you", nil)
		if err != nil {
			t.Error(err)
		}
		got <- l
	}()
	l.Release()
	if l := <-got; l != nil {
		l.Release()
	}
	if names, _ := d.Names(); len(names) != 0 {
		t.Errorf("left: %q", names)
	}
}

func TestMove(t *testing.T) {
	p := place(t)
	d := mustMake(t, p)
	to, err := d.Sub("to", true)
	must(t, err)
	defer to.Close()
	must(t, to.WriteFile("b", []byte("old")))
	must(t, d.WriteFile("a", []byte("new")))
	must(t, d.Move("a", to, "b"))
	if b, err := to.ReadFile("b", 10); err != nil || string(b) != "new" {
		t.Errorf("%q, %v", b, err)
	}
	if err := d.Move("a", to, "b"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("again: %v", err)
	}
}

func TestTouch(t *testing.T) {
	d := mustMake(t, place(t))
	must(t, d.WriteFile("a", []byte("abc")))
	when := time.Unix(1700000000, 0)
	must(t, d.Touch("a", when))
	if size, at, err := d.Stat("a"); err != nil || size != 3 || !at.Equal(when) {
		t.Errorf("%d, %v, %v", size, at, err)
	}
	if err := d.Touch("b", when); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
}
