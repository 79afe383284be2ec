package page

import (
	"bufio"
	"io"
	"strconv"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/engine/event"
)

const (
	mostLogs  = 50 << 20                        // maximum bytes of all logs together
	mostLog   = report.LogHead + report.LogTail // maximum bytes of one log
	blockSize = 256 << 10                       // logs are packed into blocks of up to this many bytes
	mostMarks = 1000                            // maximum number of commands marked in a log

)

// packedLog locates the log of a step in the page.
type packedLog struct {
	block          int   // −1: omitted
	offset, length int64 // in the block, before compression
	cutAt, cut     int64 // position and number of omitted bytes
	marks          []int64
}

// append appends the log as the scripts read it: block, offset, length, position and size of the
// cut; then for each command its index in the step and the start of its output.
func (l *packedLog) append(to []int64) []int64 {
	if l.length == 0 && l.block >= 0 {
		return to
	}
	return append(append(to, int64(l.block), l.offset, l.length, l.cutAt, l.cut), l.marks...)
}

// planLogs selects the logs to include, and their places.
func (p *page) planLogs() error {
	if p.run.Logs == nil {
		return nil
	}
	p.logs = make([]packedLog, len(p.run.Steps))
	left := int64(mostLogs)
	for _, failed := range [...]bool{true, false} { // failures first
		for i, s := range p.run.Steps {
			if (s.Outcome == event.Failed) != failed {
				continue
			}
			l := &p.logs[i]
			size := p.run.Logs.Size(s.ID)
			l.length = min(size, mostLog)
			if size == 0 {
				continue
			}
			if l.length > left {
				l.block = -1
				continue
			}
			left -= l.length
			if err := p.measure(s, l); err != nil {
				return err
			}
		}
	}
	block, offset := 0, int64(0)
	for i := range p.logs {
		l := &p.logs[i]
		if l.block < 0 || l.length == 0 {
			continue
		}
		if offset > 0 && offset+l.length > blockSize {
			block, offset = block+1, 0
		}
		l.block, l.offset = block, offset
		offset += l.length
	}
	return nil
}

// measure determines the size of a step's log and where the output of its commands begins.
func (p *page) measure(s *model.Step, l *packedLog) error {
	l.length = 0
	err := p.run.Logs.Each(s.ID, 0, p.run.Logs.Size(s.ID), mostLog, func(c report.Chunk) error {
		if c.Cut > 0 && l.cut == 0 {
			l.cutAt = l.length
		}
		l.cut += c.Cut
		l.length += int64(len(c.Data))
		return nil
	})
	for i, c := range s.Commands[:min(len(s.Commands), mostMarks)] {
		at := c.From
		if at > l.cutAt && l.cut > 0 {
			at = max(l.cutAt, at-l.cut)
		}
		l.marks = append(l.marks, int64(i), min(at, l.length))
	}
	return err
}

// writeLogs writes each block in its own element.
func (p *page) writeLogs(out *bufio.Writer) error {
	for first := 0; first < len(p.logs); {
		if p.logs[first].block < 0 || p.logs[first].length == 0 {
			first++
			continue
		}
		block, end := p.logs[first].block, first
		out.WriteString(`<script type="application/octet-stream" id="log-` + strconv.Itoa(block) + `">`)
		err := pack(out, func(w io.Writer) error {
			for ; end < len(p.logs); end++ {
				l := &p.logs[end]
				if l.block < 0 || l.length == 0 {
					continue
				}
				if l.block != block {
					return nil
				}
				err := p.run.Logs.Each(p.run.Steps[end].ID, 0, p.run.Logs.Size(p.run.Steps[end].ID), mostLog, func(c report.Chunk) error {
					_, err := w.Write(c.Data)
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		out.WriteString("</script>\n")
		first = end
	}
	return nil
}
