package shell

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// After `X &` a shell continues when X is a process. The interpreter continues when there is
// a goroutine that will start X; it may even reach the end of the script, and X would never
// be started. So for a program X the script becomes `{ X || _weft_failed N; } &` and then
// `_weft_begun N`, which waits until X was started or could not be. N is the position of X.
const (
	startedCommand = "_weft_begun"
	failedCommand  = "_weft_failed"
)

// startLimit is the longest wait for the start of a program.
const startLimit = 5 * time.Second

// awaitStarts changes each `X &` of f, and returns the positions of these programs.
func awaitStarts(f *syntax.File) []uint {
	own := map[string]bool{} // names that are not programs
	traces := false
	syntax.Walk(f, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.FuncDecl:
			if n.Name != nil { // a function of zsh may have no name; the interpreter refuses it
				own[n.Name.Value] = true
			}
		case *syntax.CallExpr:
			if len(n.Args) > 1 {
				switch n.Args[0].Lit() {
				case "set":
					// A trace must show what is written.
					traces = traces || slices.ContainsFunc(n.Args[1:], func(w *syntax.Word) bool { return strings.Contains(w.Lit(), "x") })
				case "alias":
					traces = true
				}
			}
		}
		return true
	})
	if traces {
		return nil
	}
	var at []uint
	eachList(f, func(list []*syntax.Stmt) []*syntax.Stmt {
		var out []*syntax.Stmt
		for _, s := range list {
			out = append(out, s)
			call, ok := s.Cmd.(*syntax.CallExpr)
			if !s.Background || !ok || len(call.Args) == 0 {
				continue
			}
			if name := call.Args[0].Lit(); name == "" || own[name] || !isProgram(name) {
				continue
			}
			where := call.Args[0].Pos().Offset()
			number := strconv.FormatUint(uint64(where), 10)
			inBlock(s, func(inner *syntax.Stmt) []*syntax.Stmt {
				or := &syntax.BinaryCmd{Op: syntax.OrStmt, X: inner, Y: parseList(failedCommand + " " + number)[0]}
				return []*syntax.Stmt{{Position: inner.Position, Cmd: or}}
			})
			out = append(out, parseList(startedCommand+" "+number)...)
			at = append(at, where)
		}
		return out
	})
	return at
}

// starts counts the programs of `X &` that were started, by the position of X.
type starts struct {
	mu      sync.Mutex // guards the fields below
	at      map[uint]*startCount
	changed chan struct{} // closed at the next change; may be nil
}

type startCount struct {
	awaited int // by `_weft_begun`
	done    int // started, or could not be
	failing int // started and failed, and about to reach `_weft_failed`
}

// count changes the count of a position.
func (b *starts) count(where uint, change func(*startCount)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at == nil {
		b.at = map[uint]*startCount{}
	}
	if b.at[where] == nil {
		b.at[where] = &startCount{}
	}
	change(b.at[where])
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// await waits for one more program of a position.
func (r *execution) await(where uint) {
	want := 0
	r.starts.count(where, func(b *startCount) { b.awaited++; want = b.awaited })
	limit := time.NewTimer(startLimit)
	defer limit.Stop()
	for {
		r.starts.mu.Lock()
		if r.starts.at[where].done >= want {
			r.starts.mu.Unlock()
			return
		}
		if r.starts.changed == nil {
			r.starts.changed = make(chan struct{})
		}
		changed := r.starts.changed
		r.starts.mu.Unlock()
		select {
		case <-changed:
		case <-r.Done():
			return
		case <-limit.C:
			r.starts.count(where, func(b *startCount) { b.awaited-- })
			return
		}
	}
}

// startCommand runs one of the inserted commands. It returns the exit status.
func (r *execution) startCommand(hc *interp.HandlerContext, args []string) error {
	n, _ := strconv.ParseUint(args[1], 10, 64)
	if args[0] == startedCommand {
		if r.positions() {
			r.await(uint(n))
		}
		return nil
	}
	r.starts.count(uint(n), func(b *startCount) {
		if b.failing > 0 {
			b.failing--
		} else {
			b.done++
		}
	})
	return interp.ExitStatus(hc.LastExitStatus)
}
