package pipe

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// rotatedFiles returns the content of the file and of the older ones, the oldest first.
func rotatedFiles(t *testing.T, path string) (files [][]byte) {
	t.Helper()
	for i := 0; ; i++ {
		name := path
		if i > 0 {
			name = fmt.Sprintf("%s.%d", path, i)
		}
		b, err := os.ReadFile(name)
		if os.IsNotExist(err) && i > 0 {
			return files
		}
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		files = append([][]byte{b}, files...)
	}
}

// TestRotatedStream writes lines of any length in pieces of any length, in programs that end
// and start again: the files in order are the end of the stream, or all of it, and only lines
// that are longer than a file are divided.
func TestRotatedStream(t *testing.T) {
	for seed := range uint64(80) {
		rng := rand.New(rand.NewPCG(seed, 1))
		size, keep := 1+rng.Int64N(300), rng.IntN(6)
		if seed%3 == 0 {
			size, keep = 100+size, 1000
		}
		path := filepath.Join(t.TempDir(), "made", "log")
		var stream []byte
		long := false // some line is longer than a file
		for range 1 + rng.IntN(4) {
			r, err := OpenRotated(t.Context(), path, size, keep)
			if err != nil {
				t.Fatal(err)
			}
			var text []byte
			for range rng.IntN(30) {
				n := rng.IntN(40)
				if rng.IntN(8) == 0 {
					n = rng.IntN(700)
				}
				text = append(text, bytes.Repeat([]byte{'a' + byte(rng.IntN(26))}, n)...)
				if rng.IntN(20) > 0 {
					text = append(text, '\n')
				}
			}
			stream = append(stream, text...)
			for len(text) > 0 {
				n := min(1+rng.IntN(60), len(text))
				if m, err := r.Write(text[:n]); m != n || err != nil {
					t.Fatal(m, err)
				}
				text = text[n:]
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
		for _, l := range bytes.SplitAfter(stream, []byte("\n")) {
			long = long || int64(len(l)) > size
		}
		files := rotatedFiles(t, path)
		if all := bytes.Join(files, nil); !bytes.HasSuffix(stream, all) || keep == 1000 && len(all) != len(stream) {
			t.Fatalf("seed %d: %d files with %d bytes that are not the end of %d", seed, len(files), len(all), len(stream))
		}
		if len(files) > keep+1 {
			t.Errorf("seed %d: %d files, %d of them older", seed, len(files), keep)
		}
		for i, f := range files {
			// A line that has begun in the file may exceed the size, so a file holds
			// at most two sizes; a divided line that others follow in a later run adds one.
			if int64(len(f)) > 3*size {
				t.Errorf("seed %d: file %d of %d bytes, the size is %d", seed, i, len(f), size)
			}
			if i < len(files)-1 && !long && !bytes.HasSuffix(f, []byte("\n")) {
				t.Errorf("seed %d: a line is divided at the end of file %d: %q", seed, i, f)
			}
		}
	}
}

func TestRotatedSurroundings(t *testing.T) {
	open := func(t *testing.T, path string, keep int) *Rotated {
		r, err := OpenRotated(t.Context(), path, 10, keep)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		return r
	}
	write := func(t *testing.T, r *Rotated, lines ...string) {
		t.Helper()
		for _, l := range lines {
			if _, err := r.Write([]byte(l + "\n")); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := func(t *testing.T, path string, want ...string) {
		t.Helper()
		var got []string
		for _, f := range rotatedFiles(t, path) {
			got = append(got, strings.ReplaceAll(strings.TrimSpace(string(f)), "\n", " "))
		}
		if g, w := strings.Join(got, "|"), strings.Join(want, "|"); g != w {
			t.Errorf("got %s, want %s", g, w)
		}
	}
	t.Run("link", func(t *testing.T) {
		dir := t.TempDir()
		real := filepath.Join(dir, "real")
		if err := os.Symlink("real", filepath.Join(dir, "log")); err != nil {
			t.Skip(err)
		}
		write(t, open(t, filepath.Join(dir, "log"), 3), "one 1234", "two 1234")
		want(t, real, "one 1234", "two 1234")
		if to, _ := os.Readlink(filepath.Join(dir, "log")); to != "real" {
			t.Error("the link is gone")
		}
	})
	t.Run("gap", func(t *testing.T) { // as if weft had been killed between two renames
		path := filepath.Join(t.TempDir(), "log")
		for name, text := range map[string]string{path: "new\n", path + ".2": "old\n", path + ".3": "older\n"} {
			os.WriteFile(name, []byte(text), 0o666)
		}
		write(t, open(t, path, 3), "12345678")
		want(t, path, "older", "old", "new", "12345678")
	})
	t.Run("moved by others", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log")
		r := open(t, path, 3)
		write(t, r, "one 1234")
		os.Rename(path, path+".1")
		write(t, r, "two 1234") // does not fit: begins anew, and renames nothing
		want(t, path, "one 1234", "two 1234")
	})
	t.Run("directory gone", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "logs")
		r := open(t, filepath.Join(dir, "log"), 3)
		write(t, r, "one 1234")
		os.RemoveAll(dir)
		write(t, r, "two 1234", "three 12")
		want(t, filepath.Join(dir, "log"), "two 1234", "three 12")
	})
	t.Run("cannot be renamed", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.MkdirAll(filepath.Join(path+".1", "below"), 0o777); err != nil {
			t.Fatal(err)
		}
		r := open(t, path, 1)
		write(t, r, "one 1234")
		if n, err := r.Write([]byte("two\n")); n != 4 || err == nil || !strings.Contains(err.Error(), "rotating "+path) {
			t.Error(n, err)
		}
		if b, _ := os.ReadFile(path); string(b) != "one 1234\ntwo\n" {
			t.Errorf("%q", b)
		}
	})
	t.Run("two streams", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log")
		r := open(t, path, 1000)
		var wg sync.WaitGroup
		for _, l := range []string{"aaa", "bbb"} {
			wg.Go(func() {
				for range 40 {
					r.Write([]byte(l + "\n"))
				}
			})
		}
		wg.Wait()
		all := string(bytes.Join(rotatedFiles(t, path), nil))
		if strings.Count(all, "aaa\n") != 40 || strings.Count(all, "bbb\n") != 40 {
			t.Error("lines are missing or mixed")
		}
	})
	t.Run("no regular file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "pipe")
		if err := exec.Command("mkfifo", path).Run(); err != nil {
			t.Skip(err)
		}
		reader, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		write(t, open(t, path, 1), "12345678", "12345678")
		if st, err := os.Lstat(path); err != nil || st.Mode().Type() != os.ModeNamedPipe {
			t.Error(st, err)
		}
	})
}
