//go:build unix

package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/weftrun/weft/engine/cache"
)

// evil is in everything that must not be restored.
const evil = "evil\n"

// poison is a result that is not that of the commands.
type poison struct {
	result func(v *poisoned, r *cache.ActionResult)  // changes the result; nil: it does not
	outer  func(v *poisoned, r *repb.ActionResult)   // changes what a server that runs tasks puts around it; nil: it does not
	blob   func(v *poisoned, of *cache.ActionResult) // tells lies about blobs
	// why is why it is not used. There, and in caches: parts of what is said, if they are other ones.
	why, there, caches string
	late               bool              // it is noticed when files are written: a task that has run elsewhere fails
	fails              bool              // it is a result of commands that have failed there
	used               bool              // there is nothing wrong with it
	log                string            // what is shown of a log that may hold anything; "": "log\n"
	unread             bool              // gRPC receives no such message
	more               map[string]string // files that are also made, with their content
}

// file adds an evil output.
func file(path string) func(*poisoned, *cache.ActionResult) {
	return func(v *poisoned, r *cache.ActionResult) {
		r.Files = append(r.Files, cache.OutputFile{Path: strings.ReplaceAll(path, "HOME", v.home), Digest: v.put(evil)})
	}
}

// link adds an output that is a link.
func link(path, target string) func(*poisoned, *cache.ActionResult) {
	return func(v *poisoned, r *cache.ActionResult) {
		r.Symlinks = append(r.Symlinks, cache.OutputSymlink{Path: path, Target: strings.ReplaceAll(target, "HOME", v.home)})
	}
}

// out returns the output "out".
func out(r *cache.ActionResult) *cache.OutputFile {
	i := slices.IndexFunc(r.Files, func(f cache.OutputFile) bool { return f.Path == "out" })
	return &r.Files[i]
}

// about tells a lie about the blob of the output "out".
func about(lie string) func(*poisoned, *cache.ActionResult) {
	return func(v *poisoned, r *cache.ActionResult) { v.tell(out(r).Digest, []byte(lie)) }
}

const (
	noPath  = "it is not a path below the root"
	outside = "which may be outside of the root"
	missing = "is missing" // or has other bytes
	lost    = "it has lost files that it was sent, or that were made there"
)

var poisons = map[string]poison{
	"nothing": {used: true},

	// Content.
	"a digest of other content": {result: func(v *poisoned, r *cache.ActionResult) { out(r).Digest = cache.DigestOf([]byte(evil)) }, caches: missing, there: lost},
	"other content":             {blob: about("9\n"), caches: missing, there: lost},
	"longer content":            {blob: about("1\n" + evil), caches: missing, there: lost},
	"shorter content":           {blob: about("1"), caches: missing, there: lost},
	"no content":                {blob: about(""), caches: missing, there: lost},
	"a size that is less":       {result: func(v *poisoned, r *cache.ActionResult) { out(r).Digest.Size-- }, caches: missing, there: lost},
	"a size that is more":       {result: func(v *poisoned, r *cache.ActionResult) { out(r).Digest.Size++ }, caches: missing, there: lost},
	"a size beyond all disks":   {result: func(v *poisoned, r *cache.ActionResult) { out(r).Digest.Size = 1 << 60 }, why: "bytes"},
	"a negative size":           {result: func(v *poisoned, r *cache.ActionResult) { out(r).Digest.Size = -1 }, why: "malformed"},
	"a size of nothing":         {result: func(v *poisoned, r *cache.ActionResult) { out(r).Digest.Size = 0 }, why: "its digest is that of other content"},
	"no digest":                 {result: func(v *poisoned, r *cache.ActionResult) { out(r).Digest = cache.Digest{} }, why: "its digest is missing"},

	// Places.
	"above":                        {result: file("../x"), why: noPath},
	"above, later":                 {result: file("d/../../x"), why: noPath},
	"absolute":                     {result: file("HOME/x"), why: noPath},
	"the root":                     {result: file("."), why: noPath},
	"no name":                      {result: file(""), why: noPath},
	"not clean":                    {result: file("d//x"), why: noPath},
	"not clean, a dot":             {result: file("./x"), why: noPath},
	"a directory's name":           {result: file("d/x/"), why: noPath},
	"a zero byte":                  {result: file("x\x00x"), why: noPath},
	"hooks":                        {result: file(".git/hooks/x"), why: "nothing in .git is an output"},
	"hooks in capitals":            {result: file(".GIT/hooks/x"), why: "nothing in .git is an output"},
	"hooks below":                  {result: file("d/.Git/hooks/x"), why: "nothing in .git is an output"},
	"hooks, for Windows":           {result: file("GIT~1/hooks/x"), why: "nothing in git~1 is an output"},
	"hooks, with a dot":            {result: file("d/.git. ./hooks/x"), why: "nothing in .git is an output"},
	"Mercurial":                    {result: file(".hg/hgrc"), why: "nothing in .hg is an output"},
	"weft's state":                 {result: file(".weft/x"), why: "nothing in .weft is an output"},
	"a name of weft's":             {result: file("d/x.weft-tmp"), why: "its name is that of a temporary file"},
	"the Taskfile":                 {result: file("Taskfile.yml"), why: "the task does not declare it"},
	"the Taskfile in capitals":     {result: file("TASKFILE.YML"), why: "the task does not declare it"},
	"a source":                     {result: file("in"), why: "the task does not declare it"},
	"undeclared":                   {result: file("Makefile"), why: "the task does not declare it"},
	"undeclared, for the terminal": {result: file("\x1b]0;x\a\x1b[2J"), why: `output "\x1b]0;x\a\x1b[2J": the task does not declare it`},
	"twice":                        {result: file("out"), why: "it is listed twice"},
	"in a file":                    {result: file("d/made/x"), why: `it is in "d/made", which is not a directory`},
	"a file and a link":            {result: link("out", "d"), why: "it is listed twice"},
	"through its own link": {result: func(v *poisoned, r *cache.ActionResult) {
		link("d/up", "..")(v, r)
		file("d/up/x")(v, r)
	}, why: `it is in "d/up", which is not a directory`},
	"through a link of the user": {result: file("own/x"), why: `"own" is in the way: it is a symbolic link`, late: true},
	"deep":                       {result: file(strings.Repeat("d/", 5000) + "x"), why: "it is nested more than 256 levels deep"},
	"deeper":                     {result: file(strings.Repeat("d/", 1_000_000) + "x"), why: "it is nested more than 256 levels deep"},
	"a long name":                {result: file("d/" + strings.Repeat("x", 300)), why: "file name too long", late: true},

	// Links.
	"a link up":             {result: link("x", "../x"), why: outside},
	"a link up, later":      {result: link("d/x", "y/../../../x"), why: outside},
	"an absolute link":      {result: link("x", "HOME/secret"), why: "which is not relative"},
	"a link without target": {result: link("x", ""), why: "it is a link without a target"},
	"a link in .git":        {result: link(".git/x", "../d"), why: "nothing in .git is an output"},

	// Directories.
	"a directory with files": {result: func(v *poisoned, r *cache.ActionResult) {
		t := cache.Tree{Root: cache.Directory{Files: []cache.FileNode{{Name: "x", Digest: v.put(evil)}}}}
		r.Directories = append(r.Directories, cache.OutputDirectory{Path: "d/x", Tree: v.put(string(t.Append(nil)))})
	}, why: "it is a directory that is not empty"},
	"a directory that is nowhere": {result: func(v *poisoned, r *cache.ActionResult) {
		r.Directories = append(r.Directories, cache.OutputDirectory{Path: "d/x", Tree: cache.DigestOf([]byte("none"))})
	}, why: "it is a directory that is not empty"},
	"a directory above": {result: func(v *poisoned, r *cache.ActionResult) {
		r.Directories = append(r.Directories, cache.OutputDirectory{Path: "../x", Tree: v.put(string((&cache.Tree{}).Append(nil)))})
	}, why: noPath},

	// The rest.
	"the result of a failure": {result: func(v *poisoned, r *cache.ActionResult) { r.ExitCode = 3 }, why: "it is the result of a failure (exit code 3)"},
	"a log that is nowhere":   {result: func(v *poisoned, r *cache.ActionResult) { r.Stdout = cache.DigestOf([]byte("none")) }, caches: missing, there: lost},
	"marks beyond the log": {result: func(v *poisoned, r *cache.ActionResult) {
		r.Metadata.Auxiliary = nil
		r.SetLog(&cache.Log{Marks: []cache.Mark{{Command: 1}, {Offset: 1 << 40, Command: 2}}})
	}, why: "its stored output is damaged"},
	"marks of other commands": {result: func(v *poisoned, r *cache.ActionResult) {
		r.Metadata.Auxiliary = nil
		r.SetLog(&cache.Log{Marks: []cache.Mark{{Command: 9}}})
	}, why: "its stored output is damaged"},
	"a shorter log":             {blob: aboutLog("log\n" + evil), caches: missing, there: lost},
	"a longer log":              {blob: aboutLog("lo"), caches: missing, there: lost},
	"a log of a negative size":  {result: func(v *poisoned, r *cache.ActionResult) { r.Stdout.Size = -1 }, why: "malformed"},
	"a log of terabytes":        {result: func(v *poisoned, r *cache.ActionResult) { r.Stdout.Size = 1 << 60 }, why: "bytes"},
	"a log, for the terminal":   {result: logOf("\x1b]0;x\a\x1b[2Jlog\n"), used: true, log: "\x1b]0;x\a\x1b[2Jlog\n"},
	"a log that is not UTF-8":   {result: logOf("\xff\xfe\xc3(\x80log\n"), used: true, log: "\xff\xfe\xc3(\x80log\n"},
	"a log with zero bytes":     {result: logOf("\x00\x00log\n"), used: true, log: "\x00\x00log\n"},
	"marks of other streams":    {result: marks(cache.Mark{Command: 1}, cache.Mark{Stream: 4}), why: "its stored output is damaged"},
	"marks in no order":         {result: marks(cache.Mark{Command: 1}, cache.Mark{Offset: 4, Stream: 1}, cache.Mark{Offset: 2, Stream: 1}), why: "its stored output is damaged"},
	"marks before the log":      {result: marks(cache.Mark{Command: 1}, cache.Mark{Offset: -1, Stream: 1}), why: "its stored output is damaged"},
	"marks that begin late":     {result: marks(cache.Mark{Offset: 1, Command: 1}), why: "its stored output is damaged"},
	"marks of both kinds":       {result: marks(cache.Mark{Command: 1, Stream: 1}), why: "its stored output is damaged"},
	"marks of command 0":        {result: marks(cache.Mark{}, cache.Mark{Command: -1}), why: "its stored output is damaged"},
	"no marks":                  {result: marks(), why: "its stored output is damaged"},
	"marks that are no message": {result: func(v *poisoned, r *cache.ActionResult) { r.Metadata.Auxiliary[0].Value = []byte("\x0a\xff\xff") }, why: "malformed"},

	// Names that are the same for some file systems: see TestFolded of engine/cache.
	"names that differ by case": {result: foldedByCase, used: true, more: byCase},
	"names of two forms":        {result: foldedByForm, used: true, more: byForm},
	"a name that is not UTF-8":  {result: file("x\xff"), why: noPath, unread: true},

	"another user": {result: func(v *poisoned, r *cache.ActionResult) {
		out(r).Properties = cache.NodeProperties{Mode: 0o6777, HasMode: true}
	}, used: true},

	// What a server that runs tasks says itself.
	"no result":                   {outer: func(v *poisoned, r *repb.ActionResult) { r.OutputFiles = nil }, there: "the command has left no result"},
	"a result that is nowhere":    {outer: func(v *poisoned, r *repb.ActionResult) { r.OutputFiles[0].Digest.Hash = strings.Repeat("0", 64) }, there: "is missing"},
	"a result without a digest":   {outer: func(v *poisoned, r *repb.ActionResult) { r.OutputFiles[0].Digest = nil }, there: "has a wrong digest, or is too large"},
	"a result of a negative size": {outer: func(v *poisoned, r *repb.ActionResult) { r.OutputFiles[0].Digest.SizeBytes = -1 }, there: "has a wrong digest, or is too large"},
	"a result that is too large":  {outer: func(v *poisoned, r *repb.ActionResult) { r.OutputFiles[0].Digest.SizeBytes = cache.MaxResult + 1 }, there: "has a wrong digest, or is too large"},
	"a result that is no message": {outer: func(v *poisoned, r *repb.ActionResult) { v.wrap(r, []byte("\x12\xff\xff"+evil)) }, there: "malformed"},
	"a failure without a runner":  {outer: func(v *poisoned, r *repb.ActionResult) { r.ExitCode, r.StderrRaw = 1, nil }, there: "its runner did not begin"},
	"a failure of the commands":   {outer: func(v *poisoned, r *repb.ActionResult) { r.ExitCode = 7 }, there: "exit status 7", fails: true},
	"a failure, for the terminal": {outer: func(v *poisoned, r *repb.ActionResult) {
		r.ExitCode, r.StderrRaw = 1, []byte("\x1b]0;x\aall is well\n")
	}, there: `its runner did not begin: \x1b]0;x\x07all is well`},
	"more outputs": {outer: moreOutputs, used: true},
	"a worker, for the terminal": {outer: func(v *poisoned, r *repb.ActionResult) {
		r.ExecutionMetadata = &repb.ExecutedActionMetadata{Worker: "\x1b]0;x\a"}
	}, used: true},
	"a directory that holds itself": {outer: holdsItself, used: true},
}

var (
	byCase = map[string]string{"x-A": "one\n", "x-a": "two\n", "d/new/B": "one\n", "d/new/b": "two\n"}
	byForm = map[string]string{"x-\u00e9": "one\n", "x-e\u0301": "two\n"}

	foldedByCase, foldedByForm = add(byCase), add(byForm)
)

// add adds files.
func add(files map[string]string) func(*poisoned, *cache.ActionResult) {
	return func(v *poisoned, r *cache.ActionResult) {
		for path, content := range files {
			r.Files = append(r.Files, cache.OutputFile{Path: path, Digest: v.put(content)})
		}
	}
}

// aboutLog tells a lie about the log.
func aboutLog(lie string) func(*poisoned, *cache.ActionResult) {
	return func(v *poisoned, r *cache.ActionResult) { v.tell(r.Stdout, []byte(lie)) }
}

// logOf makes the log another text, of the first command.
func logOf(text string) func(*poisoned, *cache.ActionResult) {
	return func(v *poisoned, r *cache.ActionResult) {
		r.Stdout = v.put(text)
		marks(cache.Mark{Command: 1}, cache.Mark{Stream: 1})(v, r)
	}
}

// marks makes the marks of the log others.
func marks(all ...cache.Mark) func(*poisoned, *cache.ActionResult) {
	return func(v *poisoned, r *cache.ActionResult) { r.SetLog(&cache.Log{Marks: all}) }
}

// moreOutputs adds outputs that nobody has asked for.
func moreOutputs(v *poisoned, r *repb.ActionResult) {
	d := v.put(evil)
	digest := &repb.Digest{Hash: d.Hex(), SizeBytes: d.Size}
	for _, path := range []string{"../x", "out", "x", ".git/hooks/x", v.home + "/x"} {
		r.OutputFiles = append(r.OutputFiles, &repb.OutputFile{Path: path, Digest: digest, Contents: []byte(evil)})
	}
	r.OutputSymlinks = append(r.OutputSymlinks, &repb.OutputSymlink{Path: "x", Target: v.home})
}

// holdsItself makes the outputs a tree with a child that says that it is in itself.
func holdsItself(v *poisoned, r *repb.ActionResult) {
	tree, err := proto.Marshal(&repb.Tree{Root: &repb.Directory{Directories: []*repb.DirectoryNode{{Name: "x", Digest: &repb.Digest{Hash: strings.Repeat("ab", 32), SizeBytes: 100}}}}})
	if err != nil {
		v.Error(err)
	}
	v.tell(cache.Digest{Hash: [32]byte(slices.Repeat([]byte{0xab}, 32)), Size: 100}, tree)
	d := v.put(string(tree))
	r.OutputDirectories = []*repb.OutputDirectory{{Path: ".weft/out/cas", TreeDigest: &repb.Digest{Hash: d.Hex(), SizeBytes: d.Size}}, {Path: "../x", TreeDigest: &repb.Digest{Hash: d.Hex(), SizeBytes: d.Size}}}
}

// poisoned is a checkout whose servers are hostile.
type poisoned struct {
	*teamCheckout
	*relay
	by      poison
	outside string // a directory beside it
}

// put has the server have a blob.
func (v *poisoned) put(content string) cache.Digest {
	d := cache.DigestOf([]byte(content))
	v.tell(d, []byte(content))
	return d
}

// change returns the result of a shared cache as it is sent.
func (v *poisoned) change(message []byte) []byte {
	r, err := cache.DecodeActionResult(message)
	if err != nil {
		v.Error(err)
		return message
	}
	if v.by.blob != nil {
		v.by.blob(v, r)
	}
	if v.by.result != nil {
		v.by.result(v, r)
	}
	return r.Append(nil)
}

// wrap makes a result the one that is in the result of a worker.
func (v *poisoned) wrap(r *repb.ActionResult, inner []byte) {
	d := v.put(string(inner))
	r.OutputFiles[0].Digest = &repb.Digest{Hash: d.Hex(), SizeBytes: d.Size}
	r.OutputFiles[0].Contents = nil
}

// changeThere is change for the result of a worker.
func (v *poisoned) changeThere(r *repb.ActionResult) {
	d := r.OutputFiles[0].Digest
	inner, err := v.blob(context.Background(), fmt.Sprintf("blobs/%s/%d", d.Hash, d.SizeBytes))
	if err != nil {
		v.Error(err)
		return
	}
	v.wrap(r, v.change(inner))
	if v.by.outer != nil {
		v.by.outer(v, r)
	}
}

// poison returns an answer as weft gets it.
func (v *poisoned) poison(method string, answer []byte) []byte {
	var changed []byte
	var err error
	switch method {
	case "GET ac":
		return v.change(answer)
	case "GetActionResult":
		r := new(repb.ActionResult)
		if err = proto.Unmarshal(answer, r); err == nil && (len(r.OutputFiles) != 1 || r.OutputFiles[0].Path != ".weft/out/result") {
			return v.change(answer)
		} else if err == nil {
			v.changeThere(r)
			changed, err = proto.Marshal(r)
		}
	case "Execute":
		o, response := new(longrunningpb.Operation), new(repb.ExecuteResponse)
		if err = proto.Unmarshal(answer, o); err != nil || !o.Done {
			return answer
		}
		if err = o.GetResponse().UnmarshalTo(response); err == nil && response.Result != nil {
			v.changeThere(response.Result)
			var a *anypb.Any
			if a, err = anypb.New(response); err == nil {
				o.Result = &longrunningpb.Operation_Response{Response: a}
				changed, err = proto.Marshal(o)
			}
		}
	}
	if err != nil {
		v.Error(err)
	}
	if changed == nil {
		return answer
	}
	return changed
}

// unharmed fails if something is where it must not be. more are files that are made, beside those of the task.
func (v *poisoned) unharmed(made bool, more map[string]string) {
	v.Helper()
	want := []string{".git", ".git/hooks", "Taskfile.yml", "in", "own"}
	if made {
		want = append(want, "d", "d/made", "out")
	}
	for path, content := range more {
		if dir := filepath.Dir(path); dir != "." && !slices.Contains(want, dir) {
			want = append(want, dir)
		}
		want = append(want, path)
		if b, err := os.ReadFile(filepath.Join(v.dir, path)); err != nil || string(b) != content {
			v.Errorf("%q has %q, %v, want %q", path, b, err, content)
		}
	}
	slices.Sort(want)
	var got []string
	err := filepath.WalkDir(v.dir, func(path string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(v.dir, path)
		switch {
		case err != nil:
			return err
		case rel == ".weft" || rel == ".cache":
			return fs.SkipDir
		case rel == ".":
			return nil
		}
		got = append(got, rel)
		if b, err := os.ReadFile(path); err == nil && strings.Contains(string(b), evil) {
			v.Errorf("%s has %q", rel, b)
		}
		if st, err := e.Info(); err == nil && st.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0 {
			v.Errorf("%s has mode %s", rel, st.Mode())
		}
		return nil
	})
	slices.Sort(got)
	if err != nil || !slices.Equal(got, want) {
		v.Errorf("%v, there is %.2000q, want %q", err, got, want)
	}
	if made {
		if b, err := os.ReadFile(filepath.Join(v.dir, "out")); err != nil || string(b) != "1\n" {
			v.Errorf("out has %q, %v", b, err)
		}
	}
	left, err := os.ReadDir(v.outside)
	if err != nil || len(left) > 0 {
		v.Errorf("outside: %v, %v", left, err)
	}
	if _, err := os.Lstat(filepath.Join(filepath.Dir(v.dir), "x")); err == nil {
		v.Error("there is x above the root")
	}
}

const poisonedTasks = `
tasks:
  build:
    cache: true
    remote: true
    sources: [in]
    generates: ['{out*,d/**,own/x*,x*,T*}']
    cmds: ['mkdir -p d; cp in out; cp in d/made', echo log]
`

// TestPoison: a result that may come from anyone is restored only if it is one that the task can have; otherwise
// nothing of it is in the working tree, the user is told why, and the task runs, or fails where it has to run
// elsewhere.
func TestPoison(t *testing.T) {
	k := newTeam(t)
	k.serve("--listen", "unix:"+k.socket)
	worker := startWorker(t)
	a := k.checkout("a", poisonedTasks)
	a.want("WEFT_CACHE_PUSH=1 build", "1 pushed")
	a.run(0, "WEFT_REMOTE_URL=unix:"+worker+" --remote=strict -f build")
	for name, p := range poisons {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := *k
			own.T = t
			var err error
			if own.home, err = os.MkdirTemp("", "weft"); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(own.home) })
			there := p.there
			if there == "" {
				there = p.why
			}
			caches := p.caches
			if caches == "" {
				caches = p.why
			}
			shown := []string{"log\n", "!\x1b"}
			if p.log != "" {
				shown = []string{p.log}
			}
			for _, way := range []string{"grpc", "http", "found", "executed"} {
				dir := filepath.Join(own.home, way)
				v := &poisoned{teamCheckout: own.checkout(filepath.Join(way, "project"), poisonedTasks), by: p, outside: filepath.Join(dir, "outside")}
				remote := way == "found" || way == "executed"
				v.relay = newRelay(t, map[bool]string{false: k.socket, true: worker}[remote])
				v.relay.rewrite(v.poison)
				if err := os.MkdirAll(filepath.Join(v.dir, ".git/hooks"), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.Mkdir(v.outside, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink("../outside", filepath.Join(v.dir, "own")); err != nil {
					t.Fatal(err)
				}
				v.env = []string{"HOME=" + v.dir, "PATH=" + os.Getenv("PATH"), "NO_COLOR=1"}
				url := "grpc://" + v.rpc
				if way == "http" {
					url = "http://" + v.web
				}
				t.Log(way)
				switch {
				case !remote && p.outer != nil: // there is nothing around it
				case way == "grpc" && p.unread:
					v.check(v.run(0, "WEFT_CACHE_REMOTE="+url+" build"), way, "!"+restored, "log\n", "!\x1b")
					v.unharmed(true, nil)
				case !remote && p.used:
					v.check(v.run(0, "WEFT_CACHE_REMOTE="+url+" build"), way, append(shown, restored, "!cannot be")...)
					v.unharmed(true, p.more)
				case !remote:
					v.check(v.run(0, "WEFT_CACHE_REMOTE="+url+" build"), way, "!"+restored, `weft: cache: what is stored for "build" `, caches, ": running it\n", "log\n", "!\x1b")
					v.unharmed(true, nil)
				case way == "found" && p.used:
					v.check(v.run(0, "WEFT_REMOTE_URL="+url+" --remote=strict build"), way, shown...)
					v.unharmed(true, p.more)
				case p.fails:
					v.check(v.run(201, "WEFT_REMOTE_URL="+url+" --remote build"), way, there, "!\x1b")
					v.unharmed(false, nil)
				case way == "found": // and executed, as it must be then
					v.check(v.run(201, "WEFT_REMOTE_URL="+url+" --remote=strict build"), way, there, "!log\n", "!\x1b")
					v.unharmed(false, nil)
				case p.used:
					v.check(v.run(0, "WEFT_REMOTE_URL="+url+" --remote -f build"), way, append(shown, "1 ran there")...)
					v.unharmed(true, p.more)
				case p.late:
					v.check(v.run(201, "WEFT_REMOTE_URL="+url+" --remote -f build"), way, there, "!log\n", "!\x1b")
					v.unharmed(false, nil)
				default:
					v.check(v.run(0, "WEFT_REMOTE_URL="+url+" --remote -f build"), way, `does not run "build" (`, there, "): running it here\n", "log\n", "!\x1b")
					v.unharmed(true, nil)
				}
			}
		})
	}
}
