package sched_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// farm is an Executor whose steps take a second: those whose names begin with "r" elsewhere, those with
// "h" there and then a second here, and all others here.
type farm struct {
	mu         sync.Mutex // guards the fields below
	away, here int
	awayMost   int
	hereMost   int
	order      []string
}

func (f *farm) count(n *int, most *int) {
	f.mu.Lock()
	*n++
	*most = max(*most, *n)
	f.mu.Unlock()
	time.Sleep(time.Second)
	f.mu.Lock()
	*n--
	f.mu.Unlock()
}

func (f *farm) Execute(ctx context.Context, s *plan.Step, env *sched.Env) sched.Outcome {
	f.mu.Lock()
	f.order = append(f.order, s.Name)
	f.mu.Unlock()
	if s.Name == "all" {
		return sched.Outcome{Result: event.Succeeded}
	}
	if isAway(s) == sched.Elsewhere {
		f.count(&f.away, &f.awayMost)
	}
	if s.Name[0] != 'r' {
		env.Hold(func() { f.count(&f.here, &f.hereMost) })
	}
	if ctx.Err() != nil {
		return sched.Outcome{Result: event.Cancelled, Err: context.Cause(ctx)}
	}
	return sched.Outcome{Result: event.Succeeded}
}

func isAway(s *plan.Step) sched.Place {
	if s.Name[0] == 'r' || s.Name[0] == 'h' {
		return sched.Elsewhere
	}
	return sched.Here
}

// runAway runs the task all of a workflow, and returns how long that took.
func runAway(t *testing.T, lines string, o sched.Options, during func(f *farm, cancel context.CancelCauseFunc)) (f *farm, took time.Duration, err error) {
	t.Helper()
	f = new(farm)
	synctest.Test(t, func(t *testing.T) {
		w := workflow(lines)
		w.Pools = append(w.Pools, schema.NamedPool{Name: "p", Size: 3})
		x := plan.NewExpander(plan.Options{Workflow: w, Resolver: vars.New(vars.Options{Workflow: w})})
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		p, e := x.Expand(ctx, plan.Call{Name: "all"})
		if e != nil {
			t.Fatal(e)
		}
		o.Executor, o.Expander, o.Place, o.Pools = f, x, isAway, x.Pools()
		r := sched.Start(o)
		defer r.Close()
		if during != nil {
			go during(f, cancel)
		}
		began := time.Now()
		err = r.Do(ctx, p)
		took = time.Since(began)
		cancel(nil)
		synctest.Wait()
	})
	return f, took, err
}

// TestAway: 1,000 steps elsewhere, with few slots here: as many as there are places run at any time.
func TestAway(t *testing.T) {
	var lines strings.Builder
	all := "1all:"
	for i := range 1000 {
		fmt.Fprintf(&lines, "1r%d: |\n", i)
		all += fmt.Sprintf(" r%d", i)
	}
	for i := range 20 {
		fmt.Fprintf(&lines, "1t%d: |\n", i)
		all += fmt.Sprintf(" t%d", i)
	}
	lines.WriteString(all + " |\n")
	fewest := 1000
	f, took, err := runAway(t, lines.String(), sched.Options{Limit: 2, Places: 64}, func(f *farm, _ context.CancelCauseFunc) {
		time.Sleep(time.Second / 2)
		for range 15 { // 1000/64, while all places are wanted
			f.mu.Lock()
			fewest = min(fewest, f.away)
			f.mu.Unlock()
			time.Sleep(time.Second)
		}
	})
	if err != nil || took != 16*time.Second || f.awayMost != 64 || fewest < 60 || f.hereMost != 2 {
		t.Errorf("%v, it took %s, %d to %d elsewhere, %d here", err, took, fewest, f.awayMost, f.hereMost)
	}
}

// TestAwayOrder: the longest chain of dependents goes first there, too.
func TestAwayOrder(t *testing.T) {
	f, took, err := runAway(t, "1r1: |\n1r2: |\n1r3: r2 |\n1r4: r3 |\n1all: r1 r4 |\n", sched.Options{Limit: 1, Places: 1}, nil)
	if err != nil || took != 4*time.Second || strings.Join(f.order, " ") != "r1 r2 r3 r4 all" {
		t.Errorf("%v, %s, %q", err, took, f.order)
	}
	f, _, err = runAway(t, "1r1: |\n1r2: |\n1r3: r2 |\n1r4: r3 |\n1all: r1 r4 |\n", sched.Options{Limit: 2, Places: 1}, nil)
	if err != nil || f.order[0] != "r2" {
		t.Errorf("%v, %q", err, f.order)
	}
}

// TestHold: steps elsewhere that do something here take slots for that.
func TestHold(t *testing.T) {
	f, took, err := runAway(t, "1h1: |\n1h2: |\n1h3: |\n1t1: |\n1all: h1 h2 h3 t1 |\n", sched.Options{Limit: 2, Places: 9}, nil)
	if err != nil || f.hereMost != 2 || f.awayMost != 3 || took != 3*time.Second {
		t.Errorf("%v, %s, %d here, %d elsewhere", err, took, f.hereMost, f.awayMost)
	}
}

// TestRandomAway: plans with steps elsewhere end, whatever happens, within the limits.
func TestRandomAway(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 2))
		var lines strings.Builder
		n := 2 + rng.IntN(10)
		all := "1all:"
		for i := range n {
			name := fmt.Sprintf("%c%d", "rht"[rng.IntN(3)], i)
			fmt.Fprintf(&lines, "1%s", name)
			if rng.IntN(4) == 0 {
				fmt.Fprintf(&lines, "*%d", 1+rng.IntN(3))
			}
			if rng.IntN(3) == 0 {
				lines.WriteString("%" + []string{"p", "pp"}[rng.IntN(2)])
			}
			lines.WriteString(":")
			for need := range strings.FieldsSeq(all[len("1all:"):]) {
				if rng.IntN(4) == 0 {
					lines.WriteString(" " + need)
				}
			}
			lines.WriteString(" |\n")
			all += " " + name
		}
		lines.WriteString(all + " |\n")
		limit, places := 1+rng.IntN(3), 1+rng.IntN(3)
		stop := time.Duration(rng.IntN(40)) * time.Second / 4
		enough := errors.New("enough")
		f, _, err := runAway(t, lines.String(), sched.Options{Limit: limit, Places: places}, func(_ *farm, cancel context.CancelCauseFunc) {
			if stop < 4*time.Second {
				time.AfterFunc(stop, func() { cancel(enough) })
			}
		})
		if err != nil && !errors.Is(err, enough) || f.away+f.here > 0 || f.awayMost > places || f.hereMost > limit {
			t.Errorf("seed %d: %v, %d of %d elsewhere, %d of %d here\n%s", seed, err, f.awayMost, places, f.hereMost, limit, lines.String())
		}
	}
}
