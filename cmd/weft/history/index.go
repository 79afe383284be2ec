package history

import (
	"bytes"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/statefile"
)

const (
	indexName = "index"
	maxIndex  = 8 << 20 // bytes that are read
	maxNames  = 20      // names of one kind in an entry
	maxName   = 200     // bytes of a name in an entry
)

// Result is the result of a run.
type Result string

const (
	Succeeded Result = "succeeded"
	Failed    Result = "failed"
	Cancelled Result = "cancelled" // by a signal, and nothing had failed before
	Running   Result = "running"
	Killed    Result = "killed" // it did not end in order
)

// Entry summarizes a run in the list.
type Entry struct {
	Number   int       `json:"number"`
	ID       string    `json:"id"`
	Time     time.Time `json:"time"`  // of its start
	Tasks    []string  `json:"tasks"` // the first tasks as given on the command line
	Result   Result    `json:"result"`
	Seconds  float64   `json:"seconds"` // until its end, or its last event if it has none
	Planned  int       `json:"planned"` // steps
	Counts   Counts    `json:"counts"`
	Failures []string  `json:"failures,omitempty"` // labels of the first root failures
	Commit   string    `json:"commit,omitempty"`
	Parent   string    `json:"parent,omitempty"` // id of the run that started it
	Log      bool      `json:"log,omitempty"`    // some output is kept; not in the index
}

// Counts are the numbers of steps by outcome.
type Counts [event.Cancelled + 1]int

// Settled returns the number of steps with an outcome.
func (c *Counts) Settled() (n int) {
	for _, k := range c {
		n += k
	}
	return n
}

// MarshalJSON implements [json.Marshaler].
func (c Counts) MarshalJSON() ([]byte, error) {
	return json.Marshal(c.byName())
}

// UnmarshalJSON implements [json.Unmarshaler].
func (c *Counts) UnmarshalJSON(b []byte) error {
	byName := map[string]int{}
	err := json.Unmarshal(b, &byName)
	for o := event.Succeeded; o <= event.Cancelled; o++ {
		c[o] = max(0, byName[o.String()])
	}
	return err
}

func (c *Counts) byName() map[string]int {
	byName := map[string]int{}
	for o := event.Succeeded; o <= event.Cancelled; o++ {
		byName[o.String()] = c[o]
	}
	return byName
}

// firstNames returns the first names, shortened.
func firstNames(names []string) []string {
	short := make([]string, min(len(names), maxNames))
	for i := range short {
		short[i] = strings.ToValidUTF8(names[i], "\uFFFD")
		if len(short[i]) > maxName {
			short[i] = strings.ToValidUTF8(short[i][:maxName], "") + "…"
		}
	}
	return short
}

// appendEntry appends a line to the index. It first terminates an incomplete line left by a crash
// or a full disk.
func appendEntry(d *statefile.Dir, e *Entry) error {
	line := e.append(nil)
	f, err := d.OpenFile(indexName, os.O_RDWR|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > 0 {
		last := []byte{'\n'}
		f.ReadAt(last, info.Size()-1)
		if last[0] != '\n' {
			line = append([]byte{'\n'}, line...)
		}
	}
	_, err = f.Write(line)
	return err
}

// append appends e as a line of the index.
func (e *Entry) append(b []byte) []byte {
	text := func(name, s string) {
		if s != "" {
			b = event.AppendText(append(b, name...), s)
		}
	}
	list := func(name string, all []string) {
		b = append(b, name...)
		for i, s := range all {
			if i > 0 {
				b = append(b, ',')
			}
			b = event.AppendText(b, s)
		}
		b = append(b, ']')
	}
	b = strconv.AppendInt(append(b, `{"number":`...), int64(e.Number), 10)
	b = event.AppendText(append(b, `,"id":`...), e.ID)
	b = e.Time.UTC().AppendFormat(append(b, `,"time":"`...), time.RFC3339Nano)
	list(`","tasks":[`, e.Tasks)
	text(`,"result":`, string(e.Result))
	b = strconv.AppendFloat(append(b, `,"seconds":`...), e.Seconds, 'f', -1, 64)
	b = strconv.AppendInt(append(b, `,"planned":`...), int64(e.Planned), 10)
	b = append(b, `,"counts":{`...)
	for o := event.Succeeded; o <= event.Cancelled; o++ {
		if o > event.Succeeded {
			b = append(b, ',')
		}
		b = event.AppendText(b, o.String())
		b = strconv.AppendInt(append(b, ':'), int64(e.Counts[o]), 10)
	}
	b = append(b, '}')
	if len(e.Failures) > 0 {
		list(`,"failures":[`, e.Failures)
	}
	text(`,"commit":`, e.Commit)
	text(`,"parent":`, e.Parent)
	return append(b, "}\n"...)
}

// readIndex returns the entries of the index by number. Damaged lines are ignored.
func readIndex(d *statefile.Dir) map[int]*Entry {
	b, err := d.ReadFile(indexName, maxIndex)
	if err != nil {
		return nil
	}
	return parseIndex(b)
}

func parseIndex(b []byte) map[int]*Entry {
	all := map[int]*Entry{}
	for line := range bytes.Lines(b) {
		e := new(Entry)
		if json.Unmarshal(line, e) != nil || e.Number <= 0 || e.Number > maxNumber {
			continue
		}
		switch e.Result {
		case Succeeded, Failed, Cancelled:
			all[e.Number] = e
		}
	}
	return all
}

// largeIndex is the size per kept run, in bytes, from which the index is shrunk.
const largeIndex = 2 << 10

// shrinkIndex drops the entries of runs that are not in kept, if the index is large.
func shrinkIndex(d *statefile.Dir, keep int, kept []files) error {
	size, _, err := d.Stat(indexName)
	if err != nil || size < largeIndex*int64(keep) {
		return nil
	}
	entries := readIndex(d)
	var b []byte
	for i := range kept {
		if e := entries[kept[i].number]; e != nil {
			b = e.append(b)
		}
	}
	return d.WriteFile(indexName, b)
}
