//go:build linux && !386

package ui

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/weftrun/weft/cmd/weft/recorded"
	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/cmd/weft/report/page"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/browser"
	"github.com/weftrun/weft/schema/diag"
)

// shownStep is what a page knows of a step.
type shownStep struct {
	Texts []any     // the same in every page
	Times []float64 // in microseconds
}

// known is an expression: what a page knows of all steps.
const known = `(() => {
	const S = weft.steps, C = weft.cmds, t = weft.text, unit = weft.run.unit, all = [];
	const pairs = (list, n, f) => list.length / n ? [...Array(list.length / n).keys()].map(k => f(...list.slice(k * n, k * n + n))) : [];
	for (let i = 0; i < S.n; i++) {
		const needs = S.needs[i].map((j, k) => S.kinds[i][k] + ' ' + S.id[j]).sort();
		const commands = S.commands[i].map(c => [C.index[c], t(C.text[c]), C.code[c], C.attempt[c], C.attempts[c], t(C.signal[c]), C.bits[c]]);
		all.push({Texts: [S.id[i], S.parent[i], S.cause[i], t(S.label[i]), t(S.task[i]), weft.place(i), S.outcome[i], S.state[i], S.rss[i], S.code[i], S.flags[i], t(S.error[i]), t(S.signal[i]), t(S.place[i]),
			S.files[i], S.input[i], t(S.print[i]), S.restarts[i], needs, S.reasons[i].map(t), S.env[i].map(t), S.wrote[i].map(t), pairs(S.waits[i], 2, (_, n) => t(n)), pairs(S.tried[i], 5, (a, b, c, _, n) => [a, b, c, t(n)]), commands],
		Times: [S.time[i] < 0 ? 0 : S.start[i], S.time[i], S.cpu[i], S.wait[i], ...pairs(S.waits[i], 2, n => n), ...S.suspended[i], ...pairs(S.tried[i], 5, (a, b, c, d) => d), ...S.commands[i].flatMap(c => [C.start[c], C.time[c]])].map(n => n < 0 ? -1 : n * unit)});
	}
	return all;
})()`

// TestFold: the page makes of the events what weft makes of them for a file.
func TestFold(t *testing.T) {
	past := time.Date(2026, 1, 2, 3, 4, 5, 123_000, time.UTC)
	ms := func(n int) time.Time { return past.Add(time.Duration(n)*time.Millisecond + 17*time.Microsecond) }
	fail := &event.Failure{Text: "boom", Shown: "task: boom", Reason: "it broke"}
	step := func(n int, from, to event.StepID, name string) []event.Event {
		return []event.Event{
			&event.StepStarted{Time: ms(n), Step: from, Parent: to, Name: name, Task: name, Pos: diag.Pos{File: &diag.File{Name: "a:b.yml"}, Line: 3, Column: 4}, Reasons: []string{"x\nchanged"}, Env: []string{"A", "B"}, Key: "k"},
			&event.CommandStarted{Time: ms(n + 1), Step: from, Text: "echo 1\r\necho 2", Attempt: 1, Attempts: 1, Relayed: true},
			&event.Output{Time: ms(n + 1), Step: from, Stream: event.Stdout, Data: []byte("x")},
			&event.CommandEnded{Time: ms(n + 5), Step: from, Code: 3, Err: fail},
		}
	}
	settled := func(n int, s event.StepSettled) event.Event {
		s.Time = ms(n)
		s.Usage = event.Usage{User: 1234567 * time.Nanosecond, System: time.Millisecond, MaxRSS: 70 << 20}
		return &s
	}
	join := func(lists ...any) (all []event.Event) {
		for _, l := range lists {
			switch l := l.(type) {
			case []event.Event:
				all = append(all, l...)
			case event.Event:
				all = append(all, l)
			}
		}
		return all
	}
	graph := &event.Planned{Time: ms(1), Graph: []event.PlannedStep{
		{Step: 1, Name: "db", Label: "db", Key: "1", Service: true, Pos: diag.Pos{File: &diag.File{Name: "T.yml"}, Line: 1, Column: 2}},
		{Step: 2, Name: "lint", Label: "lint it", Key: "2", Alone: true, Needs: []event.Need{{Step: 1, Until: event.UntilReady}}},
		{Step: 3, Name: "ci", Label: "ci", Key: "3", Needs: []event.Need{{Step: 1, Until: event.UntilSucceeded}, {Step: 2, Until: event.UntilEnded}, {Step: 2, Until: event.UntilTogether}, {Step: 99, Until: event.UntilStarted}}},
	}}
	rich := join(
		&event.RunStarted{Time: ms(0), Run: "r1", Tasks: []string{"ci"}}, graph,
		step(2, 1, 3, "db"), &event.Ready{Time: ms(9), Step: 1}, &event.Restarted{Time: ms(12), Step: 1, Restarts: 1}, &event.Ready{Time: ms(14), Step: 1, Restarts: 1},
		&event.Waiting{Time: ms(9), Step: 2, For: event.Slot}, &event.Waiting{Time: ms(11), Step: 2, For: event.Pool("gpu")},
		step(15, 2, 3, "lint"), &event.StepChecked{Time: ms(15), Step: 2, Reasons: []string{"other"}},
		&event.AttemptFailed{Time: ms(20), Step: 2, Attempt: 1, Attempts: 3, Code: 3, Err: fail, Duration: 4 * time.Millisecond},
		&event.CommandStarted{Time: ms(21), Step: 2, Text: "again", Attempt: 2, Attempts: 3, Background: true},
		&event.Waiting{Time: ms(21), Step: 2, For: event.Lock},
		settled(30, event.StepSettled{Step: 2, Parent: 3, Name: "lint", Task: "lint it", Outcome: event.Succeeded, Place: event.Here, Inputs: event.Inputs{Files: 2, Bytes: 99}, Wrote: []string{"x"}, Fingerprint: "f0"}),
		&event.CommandEnded{Time: ms(33), Step: 2},
		step(31, 3, 0, "ci"), &event.Planned{Time: ms(36), Parent: 3, Graph: []event.PlannedStep{{Step: 4, Name: "sub", Label: "sub \u202e<b>", Key: "4"}, {Step: 5, Name: "sub2", Label: "sub2", Key: "5", Needs: []event.Need{{Step: 4, Until: event.UntilStarted}}}}},
		&event.Suspended{Time: ms(36), Step: 3}, &event.StepStarted{Time: ms(37), Step: 4, Parent: 5, Name: "sub", Task: "sub \u202e<b>", Internal: true},
		&event.StepStarted{Time: ms(37), Step: 5, Parent: 3, Name: "sub2", Task: "sub2", GivenVars: true},
	)
	ended := join(rich,
		settled(40, event.StepSettled{Step: 4, Parent: 5, Name: "sub", Task: "sub \u202e<b>", Outcome: event.Failed, Code: 3, Err: fail, OOM: true}),
		settled(41, event.StepSettled{Step: 5, Parent: 3, Cause: 4, Name: "sub2", Task: "sub2", Outcome: event.Cancelled, Err: fail}),
		&event.Resumed{Time: ms(42), Step: 3},
		settled(43, event.StepSettled{Step: 3, Cause: 4, Name: "ci", Task: "ci", Outcome: event.Failed, Err: fail}),
		settled(44, event.StepSettled{Step: 1, Parent: 3, Name: "db", Task: "db", Outcome: event.Succeeded}),
		settled(44, event.StepSettled{Step: 6, Cause: 4, Name: "never", Task: "never", Internal: true, Outcome: event.Skipped}),
		&event.RunFinished{Time: ms(45), Err: fail},
	)
	batches := join(&event.WatchStarted{Time: ms(-3), Tasks: []string{"ci"}}, rich, &event.RunStarted{Time: ms(50), Run: "r1", Tasks: []string{"more"}},
		&event.RunFinished{Time: ms(55)}, &event.RunFinished{Time: ms(56), Err: fail},
		&event.Resumed{Time: ms(57), Step: 3}, settled(58, event.StepSettled{Step: 3, Name: "ci", Task: "ci", Outcome: event.Succeeded}),
		&event.RunStarted{Time: ms(60), Run: "r1", Tasks: []string{"ci"}}, step(62, 12, 0, "x"), settled(70, event.StepSettled{Step: 5, Parent: 3, Name: "sub2", Task: "sub2", Outcome: event.Succeeded}))
	back := join(rich, &event.StepStarted{Time: ms(-500), Step: 7, Name: "late", Task: "late"}, &event.CommandStarted{Time: ms(-900), Step: 7, Text: "t", Attempt: 1, Attempts: 1}, &event.CommandEnded{Time: ms(-901), Step: 7},
		settled(-1000, event.StepSettled{Step: 7, Name: "late", Task: "late", Outcome: event.Fresh}))
	recorded := record(t, "../../../docs/pictures/run.ndjson")
	for i, events := range [][]event.Event{begun(), join(begun(), failed()), rich, ended, batches, back, recorded, recorded[:len(recorded)/2]} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := newRig(t, Options{})
			var folder model.Folder
			r.tell(events...)
			for _, ev := range events {
				line := r.enc.Encode(nil, ev)
				if ev, err := event.Decode(bytes.TrimSpace(line)); err != nil {
					t.Fatal(err)
				} else {
					folder.Handle(ev)
				}
			}
			tab := r.browse()
			shows(tab, fmt.Sprintf(`weft.steps.n === %d && weft.folded.begun() > 0`, len(folder.Run().Steps)))
			shows(tab, fmt.Sprintf(`weft.folded.lines === %d`, len(events)))
			live := browser.Eval[[]shownStep](tab, `(weft.told(false), weft.derive(), `+known+`)`)
			file := filepath.Join(t.TempDir(), "x.html")
			var html bytes.Buffer
			err := page.Write(&html, page.Options{}, report.Finished{Run: folder.Run()})
			if err = errors.Join(err, os.WriteFile(file, html.Bytes(), 0o600)); err != nil {
				t.Fatal(err)
			}
			tab.Navigate((&url.URL{Scheme: "file", Path: file}).String())
			shows(tab, `document.documentElement.dataset.ready === 'true'`)
			want, unit := browser.Eval[[]shownStep](tab, known), browser.Eval[float64](tab, `weft.run.unit`)
			if len(live) != len(want) {
				t.Fatalf("%d steps, want %d", len(live), len(want))
			}
			for k := range want {
				for j := range want[k].Texts {
					if !reflect.DeepEqual(live[k].Texts[j], want[k].Texts[j]) {
						t.Errorf("row %d, %d: %q, want %q", k, j, live[k].Texts[j], want[k].Texts[j])
					}
				}
				for j, at := range want[k].Times {
					if j >= len(live[k].Times) || math.Abs(live[k].Times[j]-at) > 3*unit {
						t.Errorf("row %d (%v): times %v, want %v", k, want[k].Texts[:4], live[k].Times, want[k].Times)
						break
					}
				}
			}
		})
	}
}

// record returns the events of a recorded run.
func record(t *testing.T, name string) (all []event.Event) {
	t.Helper()
	f, err := recorded.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for {
		ev, err := f.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, ev)
	}
}
