//go:build unix

package cache

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weftrun/weft/internal/wire"
)

// remoteInputs are some of each kind that a run elsewhere may have.
func remoteInputs() *Inputs {
	in := inputs()
	in.Files = in.Files[:6]
	in.Act.Inputs, in.Act.Keys, in.Act.Inherited = nil, nil, nil
	in.Act.Outputs, in.Act.Limit = []Value{{Name: "version", From: "stdout", As: "json", Path: ".a"}}, time.Minute
	return in
}

func worker() *Worker {
	return &Worker{Runner: digestA, Platform: Platform{{"ISA", "x86-64"}}, Env: []EnvironmentVariable{{"PATH", "/bin"}, {"B", "other"}}, Timeout: time.Hour}
}

func remoteKey(t *testing.T, in *Inputs, w *Worker) *Key {
	t.Helper()
	k, err := NewRemoteKey(in, w)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestRemoteKeyCovers: everything that may change the result of a run elsewhere changes its key.
func TestRemoteKeyCovers(t *testing.T) {
	seen := map[Digest]string{remoteKey(t, remoteInputs(), worker()).Action: "nothing"}
	in := remoteInputs()
	in.Act.Limit, in.Act.Outputs = 0, nil
	seen[makeHere(t, in)] = "a run here"
	for name, change := range map[string]func(in *Inputs, w *Worker){
		"runner":            func(_ *Inputs, w *Worker) { w.Runner = digestB },
		"installed":         func(_ *Inputs, w *Worker) { w.Runner, w.Installed = Digest{}, "/usr/bin/weft" },
		"installed there":   func(_ *Inputs, w *Worker) { w.Runner, w.Installed = Digest{}, "/opt/weft" },
		"platform":          func(_ *Inputs, w *Worker) { w.Platform[0].Value = "arm-a64" },
		"no platform":       func(_ *Inputs, w *Worker) { w.Platform = nil },
		"env":               func(_ *Inputs, w *Worker) { w.Env[0].Value = "/usr/bin" },
		"own env":           func(in *Inputs, _ *Worker) { in.Env[0].Value = "c" },
		"volatile":          func(_ *Inputs, w *Worker) { w.Volatile = true },
		"limit":             func(in *Inputs, _ *Worker) { in.Act.Limit++ },
		"limit of profile":  func(in *Inputs, _ *Worker) { in.Act.Limit = 0 },
		"other of profile":  func(in *Inputs, w *Worker) { in.Act.Limit, w.Timeout = 0, time.Second },
		"source of output":  func(in *Inputs, _ *Worker) { in.Act.Outputs[0].From = "stderr" },
		"type of output":    func(in *Inputs, _ *Worker) { in.Act.Outputs[0].As = "text" },
		"path in output":    func(in *Inputs, _ *Worker) { in.Act.Outputs[0].Path = ".b" },
		"command":           func(in *Inputs, _ *Worker) { in.Act.Commands[0] = []byte("three") },
		"salt":              func(in *Inputs, _ *Worker) { in.Salt = "other" },
		"target of link":    func(in *Inputs, _ *Worker) { in.Files[5].Target = "src/b.c" },
		"file":              func(in *Inputs, _ *Worker) { in.Files[0].Digest = digestB },
		"empty directories": func(in *Inputs, _ *Worker) { in.Dirs = nil },
	} {
		in, w := remoteInputs(), worker()
		change(in, w)
		k := remoteKey(t, in, w)
		if other, known := seen[k.Action]; known {
			t.Errorf("%s makes the same key as %s", name, other)
		}
		seen[k.Action] = name
	}
	// These are no part of it.
	in, w := remoteInputs(), worker()
	in.Files[5].Digest, w.Env[1].Value, w.Timeout = digestB, "hidden by the own one", time.Second
	if k := remoteKey(t, in, w); seen[k.Action] != "nothing" {
		t.Error("what makes no difference there makes another key")
	}
}

func makeHere(t *testing.T, in *Inputs) Digest { return keyOf(t, in).Action }

func TestRemoteKeyRefuses(t *testing.T) {
	for want, change := range map[string]func(in *Inputs){
		`its source "../a" is outside of the root`:              func(in *Inputs) { in.Files[0].Path = "../a" },
		`its source link "l" leads out of the root (/etc/x)`:    func(in *Inputs) { in.Files[0] = File{Path: "l", Target: "/etc/x"} },
		`its source link "a/l" leads out of the root (../../x)`: func(in *Inputs) { in.Files[0] = File{Path: "a/l", Target: "../../x"} },
		`its source ".weft/in/act" is in a directory`:           func(in *Inputs) { in.Files[0].Path = ".weft/in/act" },
		`its dir "../a" is outside of the root`:                 func(in *Inputs) { in.Act.Dir, in.Dirs = "../a", nil },
		`the text "a\xff" is not UTF-8`:                         func(in *Inputs) { in.Env[0].Value = "a\xff" },
		`the text "file:\xff" is not UTF-8`:                     func(in *Inputs) { in.Act.Outputs[0].From = "file:\xff" },
		`the name of "a\xff", or its target, is not UTF-8`:      func(in *Inputs) { in.Files[0].Path = "a\xff" },
		`"src" is listed twice`:                                 func(in *Inputs) { in.Files[0].Path = "src" },
		`it depends on more than`:                               func(in *Inputs) { in.Act.Keys = []string{"x"} },
		`its commands have`:                                     func(in *Inputs) { in.Act.Commands[0] = make([]byte, MaxAct) },
	} {
		in := remoteInputs()
		change(in)
		if _, err := NewRemoteKey(in, worker()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestDecodeWholeAct: who performs an act knows all of it.
func TestDecodeWholeAct(t *testing.T) {
	act := remoteInputs().Act
	whole := act.Append(nil)
	got, err := DecodeWholeAct(whole)
	if err != nil || !bytes.Equal(got.Append(nil), whole) || got.Limit != time.Minute || got.Outputs[0] != act.Outputs[0] {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, b := range map[string][]byte{
		"unknown field":            wire.AppendText(bytes.Clone(whole), 1000, "x"),
		"unknown field of output":  wire.AppendMessage(bytes.Clone(whole), 5, func(b []byte) []byte { return wire.AppendText(b, 9, "x") }),
		"other order":              append(wire.AppendText(nil, 2, "x"), wire.AppendUint(nil, 1, 1)...),
		"other version":            wire.AppendUint(nil, 1, 2),
		"no version":               wire.AppendText(nil, 2, "x"),
		"cut off":                  whole[:len(whole)-1],
		"nothing":                  nil,
		"no message":               []byte("#!/bin/sh\n"),
		"more bytes than there be": wire.AppendElement(wire.AppendUint(nil, 1, 1), 3, make([]byte, MaxAct)),
	} {
		if _, err := DecodeWholeAct(b); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzWholeAct(f *testing.F) {
	act := remoteInputs().Act
	f.Add(act.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := DecodeWholeAct(b); err == nil && !bytes.Equal(a.Append(nil), b) {
			t.Errorf("%x becomes %x", b, a.Append(nil))
		}
	})
}

// inputsOf returns the inputs that are the project of r.
func (r *rig) inputsOf() *Inputs {
	in := &Inputs{}
	for p, content := range r.look() {
		name, link := strings.CutSuffix(p, "@")
		name, program := strings.CutSuffix(name, "*")
		switch {
		case link:
			in.Files = append(in.Files, File{Path: name, Target: content})
		case strings.HasSuffix(p, "/"):
			in.Dirs = append(in.Dirs, strings.TrimSuffix(p, "/"))
		default:
			in.Files = append(in.Files, File{Path: name, Digest: DigestOf([]byte(content)), Executable: program})
		}
	}
	return in
}

func TestLayOut(t *testing.T) {
	r := newRig(t)
	r.tree(sample)
	in := r.inputsOf()
	in.Act.Dir = "dist"
	to := t.TempDir()
	r.must(LayOut(context.Background(), in, r.root, to))
	act := in.Act.Append(nil)
	got := lookAt(t, to)
	if got[ActPath] != string(act) {
		t.Errorf("the act is %q", got[ActPath])
	}
	delete(got, ActPath)
	if show(got) != show(sample) {
		t.Errorf("got\n%s\nwant\n%s", show(got), show(sample))
	}
	for name, change := range map[string]func(file string) error{
		"content": func(file string) error { return os.WriteFile(file, []byte("other"), 0o666) },
		"size":    func(file string) error { return os.Truncate(file, 2) },
		"pipe": func(file string) error {
			return errors.Join(os.Remove(file), syscall.Mkfifo(file, 0o600))
		},
		"gone": os.Remove,
	} {
		p := filepath.Join(r.root, "dist", "a.js")
		r.must(change(p))
		if err := LayOut(context.Background(), in, r.root, t.TempDir()); err == nil || !strings.Contains(err.Error(), `"dist/a.js"`) {
			t.Errorf("%s: %v", name, err)
		}
		os.Remove(p)
		r.must(os.WriteFile(p, []byte("alpha"), 0o666))
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("stopped"))
	if err := LayOut(ctx, in, r.root, t.TempDir()); err == nil || err.Error() != "stopped" {
		t.Errorf("cancelled: %v", err)
	}
}

// TestGather: what a runner gathers is adopted and restored as it was.
func TestGather(t *testing.T) {
	r := newRig(t)
	r.tree(sample)
	r.must(os.Chmod(filepath.Join(r.root, "top"), 0o400))
	log, err := os.CreateTemp(t.TempDir(), "")
	r.must(err)
	defer log.Close()
	_, err = log.WriteString("said\n")
	r.must(err)
	s := &Saving{Root: r.root, Outputs: []string{"dist", "top"}, Log: log, Meta: Log{Marks: []Mark{{Command: 1}}, Outputs: []byte("{}")}}
	r.must(Gather(context.Background(), s, strings.NewReader("captured")))
	for p := range r.look() {
		if !strings.HasPrefix(p, ".weft/") && !strings.HasSuffix(p, "/") && !strings.HasSuffix(p, "@") {
			t.Errorf("%s was not moved", p)
		}
	}
	result, err := r.d.Adopt(context.Background(), r.root)
	r.must(err)
	if meta, err := result.Log(); err != nil || string(meta.Outputs) != "{}" || meta.Stdout != DigestOf([]byte("captured")) || result.Stdout != DigestOf([]byte("said\n")) || result.Metadata.Worker != "weft/1" {
		t.Errorf("got %+v, %+v, %v", result, meta, err)
	}
	o := r.elsewhere(t)
	r.must(o.d.Restore(context.Background(), &Restoring{Root: o.root, Result: result}))
	o.mustLook(sample)
	if st, err := os.Stat(filepath.Join(o.root, "top")); err != nil || st.Mode().Perm() != 0o400 {
		t.Errorf("the mode is %v, %v", st.Mode(), err)
	}
}

func TestGatherRefuses(t *testing.T) {
	for want, files := range map[string]map[string]string{
		"which is not relative":      {"out@": "/etc/passwd"},
		"may be outside of the root": {"out@": "../x"},
		"output \"out\": ":           {},
	} {
		r := newRig(t)
		r.tree(files)
		if err := Gather(context.Background(), &Saving{Root: r.root, Outputs: []string{"out"}}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestAdoptRefuses: whatever a task does to what its runner has gathered, no wrong byte is taken.
func TestAdoptRefuses(t *testing.T) {
	for name, change := range map[string]func(root, blob string) error{
		"no result":          func(root, _ string) error { return os.Remove(filepath.Join(root, resultPath)) },
		"no message":         func(root, _ string) error { return os.WriteFile(filepath.Join(root, resultPath), []byte("x"), 0o666) },
		"a link as result":   func(root, blob string) error { return replace(root, resultPath, blob) },
		"no blob":            func(_, blob string) error { return os.Remove(blob) },
		"other content":      func(_, blob string) error { return os.WriteFile(blob, []byte("other"), 0o666) },
		"other size":         func(_, blob string) error { return os.Truncate(blob, 1) },
		"a link as blob":     func(_, blob string) error { return errors.Join(os.Rename(blob, blob+"x"), os.Symlink(blob+"x", blob)) },
		"a pipe as blob":     func(_, blob string) error { return errors.Join(os.Remove(blob), syscall.Mkfifo(blob, 0o600)) },
		"a link as .weft":    func(root, _ string) error { return replace(root, ".weft", t.TempDir()) },
		"a link as its home": func(root, _ string) error { return replace(root, blobsPath, t.TempDir()) },
	} {
		r := newRig(t)
		r.tree(map[string]string{"out": "12345"})
		r.must(Gather(context.Background(), &Saving{Root: r.root, Outputs: []string{"out"}}, nil))
		r.must(change(r.root, filepath.Join(r.root, filepath.FromSlash(blobPath(DigestOf([]byte("12345")))))))
		if res, err := r.d.Adopt(context.Background(), r.root); err == nil {
			t.Errorf("%s: got %+v", name, res)
		}
	}
}

// replace replaces a file by a link.
func replace(root, name, target string) error {
	name = filepath.Join(root, name)
	return errors.Join(os.RemoveAll(name), os.Symlink(target, name))
}
