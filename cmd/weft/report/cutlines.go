package report

import (
	"bytes"
	"fmt"
	"io"
)

// cutLines keeps the first and last lines of a text. CI commands in it are disabled, because they
// took effect when the text was first shown.
type cutLines struct {
	head, tail int // number of lines
	lines      [][]byte
	at         int // index of the next line in the ring of last lines
	left       int // number of omitted lines
	partial    []byte
}

// mostShown is the maximum length of a kept line in bytes.
const mostShown = 16 << 10

func (k *cutLines) Write(p []byte) (int, error) {
	n := len(p)
	for {
		line, rest, ended := bytes.Cut(p, []byte{'\n'})
		k.partial = append(k.partial, line[:min(len(line), max(0, mostShown-len(k.partial)))]...)
		if !ended {
			return n, nil
		}
		k.add(k.partial)
		k.partial, p = k.partial[:0], rest
	}
}

func (k *cutLines) add(line []byte) {
	if len(k.lines) < k.head+k.tail {
		k.lines = append(k.lines, bytes.Clone(line))
		return
	}
	i := k.head + k.at
	k.lines[i] = append(k.lines[i][:0], line...)
	k.at = (k.at + 1) % k.tail
	k.left++
}

func (k *cutLines) writeTo(w io.Writer) {
	if len(k.partial) > 0 {
		k.add(k.partial)
		k.partial = nil
	}
	var b []byte
	for i := range k.lines {
		if i == k.head && k.left > 0 {
			b = fmt.Appendf(b, "… %d lines are omitted …\n", k.left)
		}
		j := i
		if i >= k.head && k.left > 0 {
			j = k.head + (i-k.head+k.at)%k.tail
		}
		b = append(b, EscapeMarkers(string(k.lines[j]))...)
		b = append(b, '\n')
	}
	w.Write(b)
}
