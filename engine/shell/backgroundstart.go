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

// A shell goes on behind `X &` when X is a process. The interpreter goes on when it
// has a goroutine that will start X, and so may come to its end before: X would never
// be started. So a program X becomes `{ X || _weft_failed N; } &` and `_weft_begun N`,
// which waits until X was started, or failed before that; N tells where X stands.
const (
	begun       = "_weft_begun"
	beginFailed = "_weft_failed"
)

// mayBegin bounds the wait for a program whose start goes unnoticed.
const mayBegin = 5 * time.Second

// awaitBegins changes each `X &` of f, and returns where these programs stand.
func awaitBegins(f *syntax.File) []uint {
	own := map[string]bool{} // names that are no programs
	traces := false
	syntax.Walk(f, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.FuncDecl:
			if n.Name != nil { // else one of zsh, which the interpreter refuses
				own[n.Name.Value] = true
			}
		case *syntax.CallExpr:
			if len(n.Args) > 1 {
				switch n.Args[0].Lit() {
				case "set":
					// What is traced must be what is written.
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
			inner := *s
			inner.Background = false
			or := &syntax.BinaryCmd{Op: syntax.OrStmt, X: &inner, Y: parseList(beginFailed + " " + number)[0]}
			*s = syntax.Stmt{Position: s.Position, Semicolon: s.Semicolon, Background: true, Cmd: &syntax.Block{Stmts: []*syntax.Stmt{{Position: s.Position, Cmd: or}}}}
			out = append(out, parseList(begun+" "+number)...)
			at = append(at, where)
		}
		return out
	})
	return at
}

// begins counts the programs of `X &` that were started, by where X stands.
type begins struct {
	mu      sync.Mutex // guards the fields below
	at      map[uint]*beginning
	changed chan struct{} // closed at the next one; nil: nobody waits
}

type beginning struct {
	awaited int // by `_weft_begun`
	done    int // started, or failed before
	failing int // started, and about to come to `_weft_failed`
}

// count changes what is known of a place.
func (b *begins) count(where uint, change func(*beginning)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at == nil {
		b.at = map[uint]*beginning{}
	}
	if b.at[where] == nil {
		b.at[where] = &beginning{}
	}
	change(b.at[where])
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// await waits for one more program of a place.
func (r *run) await(where uint) {
	want := 0
	r.begins.count(where, func(b *beginning) { b.awaited++; want = b.awaited })
	limit := time.NewTimer(mayBegin)
	defer limit.Stop()
	for {
		r.begins.mu.Lock()
		if r.begins.at[where].done >= want {
			r.begins.mu.Unlock()
			return
		}
		if r.begins.changed == nil {
			r.begins.changed = make(chan struct{})
		}
		changed := r.begins.changed
		r.begins.mu.Unlock()
		select {
		case <-changed:
		case <-r.Done():
			return
		case <-limit.C:
			r.begins.count(where, func(b *beginning) { b.awaited-- })
			return
		}
	}
}

// awaited reports whether somebody waits for the start of the program that hc is of.
func (r *run) awaited(hc *interp.HandlerContext) (where uint, is bool) {
	if len(r.p.awaited) == 0 || !r.positions() {
		return 0, false
	}
	where = hc.Pos.Offset()
	return where, slices.Contains(r.p.awaited, where)
}

// begin runs one of the commands that were put in. It returns the status.
func (r *run) begin(hc *interp.HandlerContext, args []string) error {
	n, _ := strconv.ParseUint(args[1], 10, 64)
	if args[0] == begun {
		if r.positions() {
			r.await(uint(n))
		}
		return nil
	}
	r.begins.count(uint(n), func(b *beginning) {
		if b.failing > 0 {
			b.failing--
		} else {
			b.done++
		}
	})
	return interp.ExitStatus(hc.LastExitStatus)
}
