package cache

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"
)

// Worker describes the machines that perform an Action elsewhere, and how they are asked to.
type Worker struct {
	// Runner is the program that performs the act there, which is one of the inputs. The zero Digest
	// means that the worker has one, at the path Installed.
	Runner    Digest
	Installed string

	Platform Platform              // what the machine must be, in any order
	Env      []EnvironmentVariable // for all steps, in any order; what a step declares has priority
	Timeout  time.Duration         // time limit of a step that has none itself; 0: none
	Volatile bool                  // the result is not kept
}

// AfterLimit is the time that the runner has after the time limit of a step, which it enforces
// itself, before the worker stops it.
const AfterLimit = 30 * time.Second

// NewRemoteKey is [NewKey] for a run on a worker, which has no key in common with any run on this
// machine. All inputs must be below the root, and links must stay there.
func NewRemoteKey(in *Inputs, w *Worker) (*Key, error) {
	if err := in.CheckRemote(); err != nil {
		return nil, err
	}
	act := in.Act.Append(nil)
	command := &Command{Arguments: []string{w.Installed, "--act", ActPath}, Env: slices.Clone(in.Env)}
	files := in.Files
	in.Files = nil
	if !w.Runner.IsZero() {
		command.Arguments[0] = runnerPath
		files = append(files, File{Path: runnerPath, Digest: w.Runner, Executable: true})
	}
	for _, v := range w.Env {
		if !slices.ContainsFunc(in.Env, func(own EnvironmentVariable) bool { return own.Name == v.Name }) {
			command.Env = append(command.Env, v)
		}
	}
	action := &Action{Salt: salt(in.Salt), Platform: slices.Clone(w.Platform), Volatile: w.Volatile}
	sort.Slice(action.Platform, func(i, j int) bool {
		a, b := &action.Platform[i], &action.Platform[j]
		return a.Name < b.Name || a.Name == b.Name && a.Value < b.Value
	})
	if limit := cmp.Or(in.Act.Limit, w.Timeout); limit > 0 {
		action.Timeout = DurationOf(limit + AfterLimit)
	}
	return makeKey(files, in.Dirs, act, command, action)
}

// CheckRemote returns why there is no run elsewhere with these inputs: something is outside of the
// root, cannot be encoded in messages, or is too large.
func (in *Inputs) CheckRemote() error {
	if err := in.check(); err != nil {
		return err
	}
	if err := in.checkInside(); err != nil {
		return err
	}
	if n := len(in.Act.Append(nil)); n > MaxAct {
		return fmt.Errorf("its commands have %d bytes, more than %d", n, MaxAct)
	}
	return nil
}

// checkInside reports an input that is not below the root, or whose name weft uses itself, and a
// link that may leave it.
func (in *Inputs) checkInside() error {
	for i := range in.Files {
		f := &in.Files[i]
		switch {
		case strings.HasPrefix(f.Path, "../"):
			return fmt.Errorf("its source %q is outside of the root", f.Path)
		case strings.HasPrefix(f.Path, ".weft/"):
			return fmt.Errorf("its source %q is in a directory that weft uses itself", f.Path)
		case f.Target != "" && checkTarget(&OutputSymlink{f.Path, f.Target}) != "":
			return fmt.Errorf("its source link %q leads out of the root (%s)", f.Path, f.Target)
		}
	}
	if in.Act.Dir == ".." || strings.HasPrefix(in.Act.Dir, "../") {
		return fmt.Errorf("its dir %q is outside of the root", in.Act.Dir)
	}
	if len(in.Act.Elsewhere)+len(in.Act.Inputs)+len(in.Act.Keys)+len(in.Act.Inherited) > 0 {
		return errors.New("it depends on more than its commands, its environment and files below the root")
	}
	return nil
}
