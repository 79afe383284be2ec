package main

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/schema"
)

// Both ways of writing a table agree where both can be used.
func TestTable(t *testing.T) {
	var infos []engine.TaskInfo
	add := func(name, desc string, aliases ...string) {
		infos = append(infos, engine.TaskInfo{Task: &schema.Task{Name: name, TaskOptions: &schema.TaskOptions{Aliases: aliases}}, Desc: desc})
	}
	add("a", "", "x")
	add("long-nämé:with", "dö\nit", "y", "z")
	add("b", "none")
	add("", "")
	add("c", "a description", "q")
	add("d", "x", "r")
	for _, p := range []report.Palette{{}, {On: true}} {
		rows := make([]row, len(infos))
		for i, t := range infos {
			rows[i] = row{name: t.Task.Name, desc: strings.ReplaceAll(t.Desc, "\n", " "), aliases: t.Task.Aliases}
		}
		if got, want := string(appendTable(nil, &p, infos)), string(appendTabbed(nil, &p, rows)); got != want {
			t.Errorf("got:\n%q\nwant:\n%q", got, want)
		}
	}
}

func BenchmarkTable(b *testing.B) {
	infos := make([]engine.TaskInfo, 10_000)
	for i := range infos {
		name := fmt.Sprintf("t%d", i)
		infos[i] = engine.TaskInfo{Task: &schema.Task{Name: name, TaskOptions: &schema.TaskOptions{}}, Name: name, Desc: "does thing " + name}
	}
	r := &runner{app: &app{name: "weft", out: report.NewOut(io.Discard)}}
	b.ReportAllocs()
	for range b.N {
		r.table(infos, false)
	}
}
