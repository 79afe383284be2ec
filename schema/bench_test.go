package schema

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/weftrun/weft/schema/diag"
)

func manyTasks(n int) []byte {
	var b bytes.Buffer
	b.WriteString("version: '3'\n\ntasks:\n")
	for i := range n {
		fmt.Fprintf(&b, "  task-%d:\n    desc: does the thing of number %d\n    cmds:\n      - echo %d >> out.txt\n", i, i, i)
	}
	return b.Bytes()
}

// BenchmarkDecode reads a file of 10,000 tasks.
func BenchmarkDecode(b *testing.B) {
	src := manyTasks(10_000)
	b.ReportAllocs()
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		doc, list := decodeFile(&diag.File{Path: "/w/Taskfile.yml", Source: string(src)})
		if len(doc.Tasks) != 10_000 || len(list.All()) > 0 {
			b.Fatal(list.Err())
		}
		doc.workflow("/w")
	}
}

// BenchmarkNames makes the table of 10,000 names, and finds each of them.
func BenchmarkNames(b *testing.B) {
	tasks := make([]*Task, 10_000)
	for i := range tasks {
		tasks[i] = &Task{Name: fmt.Sprint("t", i)}
	}
	b.ReportAllocs()
	for b.Loop() {
		var x nameTable
		x.reset(len(tasks))
		for i := range tasks {
			x.add(tasks, i)
		}
		for i, t := range tasks {
			if s, _ := x.find(tasks, t.Name); int(s.task) != i+1 {
				b.Fatal(t.Name)
			}
		}
	}
}
