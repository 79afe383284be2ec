package cache

import (
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// Inputs is everything that the result of a step depends on.
type Inputs struct {
	Files []File
	// Dirs are empty directories, from the root, with slashes.
	Dirs []string
	Act  Act
	Env  []EnvironmentVariable // that the commands see, beside what they inherit; names are unique
	Salt string                // results with another one are not found
}

// File is an input.
type File struct {
	Path       string // from the root, with slashes; it begins with "../" outside of it
	Digest     Digest // of the content, for a link of its target's; zero if it is dangling
	Executable bool
	Target     string // target of a link; "" for a file
}

// Key is the key of a step's result.
type Key struct {
	Action Digest
	// Messages are the Action and its parts except the files: everything a reader needs to describe
	// the result. The Action is the first, its Command the last.
	Messages [][]byte
}

// ActPath is the path of an act, from the root of the inputs of its Action.
const ActPath = ".weft/in/act"

// Paths for a run elsewhere, from the same root: of the program that performs the act, and of what
// it leaves.
const (
	runnerPath = ".weft/in/weft"
	resultPath = ".weft/out/result"
	blobsPath  = ".weft/out/cas"
)

// maxDepth is the maximum nesting of the directories of inputs and outputs.
const maxDepth = 256

// NewKey returns the key for in, and takes ownership of its Files, because there may be many. The
// order of Files, Dirs and Env makes no difference. It is an error if in cannot be encoded in
// messages: a name or a text is not UTF-8, say, or two files have the same path.
func NewKey(in *Inputs) (*Key, error) { return newKey(in, ThisPlatform()) }

func newKey(in *Inputs, platform Platform) (*Key, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	act := in.Act
	act.Elsewhere = nil
	files := in.Files[:0]
	for _, f := range in.Files {
		outside := strings.HasPrefix(f.Path, "../")
		if outside || f.Target != "" && !f.Digest.IsZero() {
			act.Elsewhere = append(act.Elsewhere, f)
		}
		if !outside {
			files = append(files, f)
		}
	}
	in.Files = nil
	sortByPath(act.Elsewhere)
	return makeKey(files, in.Dirs, act.Append(nil), &Command{Arguments: []string{"weft", "--act", ActPath}, Env: slices.Clone(in.Env)},
		&Action{Salt: salt(in.Salt), Platform: platform})
}

// salt returns the salt of an Action for that of the user.
func salt(own string) []byte { return []byte("weft/1\x00" + own) }

// makeKey returns the key for files, which it may change, directories, and an act. It completes
// command and action.
func makeKey(files []File, dirs []string, act []byte, command *Command, action *Action) (key *Key, err error) {
	t := tree{messages: make([][]byte, 1, 8)}
	files = append(files, File{Path: ActPath, Digest: t.add(act)})
	for _, d := range dirs {
		files = append(files, File{Path: d + "/"})
	}
	sortByPath(files)
	if action.InputRoot, err = t.directory("", files); err != nil {
		return nil, err
	}
	sort.Slice(command.Env, func(i, j int) bool { return command.Env[i].Name < command.Env[j].Name })
	command.Platform, command.OutputFiles, command.OutputDirectories, command.OutputPaths = action.Platform, []string{resultPath}, []string{blobsPath}, []string{blobsPath, resultPath}
	action.Command = t.add(command.Append(nil))
	t.messages[0] = action.Append(nil)
	return &Key{Action: DigestOf(t.messages[0]), Messages: t.messages}, nil
}

func sortByPath(files []File) {
	sort.Slice(files, func(i, j int) bool { return files[i].Path < files[j].Path })
}

// check reports everything that cannot be encoded in messages.
func (in *Inputs) check() error {
	for i := range in.Files {
		f := &in.Files[i]
		place := f.Path
		for strings.HasPrefix(place, "../") {
			place = place[len("../"):]
		}
		switch {
		case !utf8.ValidString(f.Path) || !utf8.ValidString(f.Target):
			return fmt.Errorf("the name of %q, or its target, is not UTF-8", f.Path)
		case !fs.ValidPath(place) || place == ".":
			return fmt.Errorf("%q is not a path from the root", f.Path)
		case f.Digest.IsZero() && f.Target == "":
			return fmt.Errorf("the content of %q is not known", f.Path)
		}
	}
	for _, d := range in.Dirs {
		if !fs.ValidPath(d) || d == "." {
			return fmt.Errorf("the directory %q is not below the root, or its name is not UTF-8", d)
		}
	}
	return in.checkTexts()
}

// checkTexts reports texts that are not UTF-8, which text fields of messages must not contain.
func (in *Inputs) checkTexts() error {
	a := &in.Act
	texts := []string{a.Dir}
	for _, g := range a.Generates {
		texts = append(texts, g.Glob)
	}
	for _, v := range a.Outputs {
		texts = append(texts, v.Name, v.Made, v.From, v.As, v.Path)
	}
	for _, v := range a.Inherited {
		texts = append(texts, v.Name, v.Value)
	}
	for _, e := range in.Env {
		texts = append(texts, e.Name, e.Value)
	}
	for _, t := range append(texts, a.Keys...) {
		if !utf8.ValidString(t) {
			return fmt.Errorf("the text %.80q is not UTF-8", t)
		}
	}
	return nil
}

// ThisPlatform is the machine that weft runs on, in the words of REAPI.
func ThisPlatform() Platform {
	isa, family := runtime.GOARCH, runtime.GOOS
	switch isa {
	case "amd64":
		isa = "x86-64"
	case "386":
		isa = "x86-32"
	case "arm64":
		isa = "arm-a64"
	case "arm":
		isa = "arm-a32"
	}
	if family == "darwin" {
		family = "macos"
	}
	return Platform{{"ISA", isa}, {"OSFamily", family}}
}
