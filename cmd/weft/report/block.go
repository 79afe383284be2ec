package report

import "bytes"

// up moves the cursor up, if necessary into lines that were already shown.
func (f *filter) up(n int) {
	if f.gaveUp {
		return
	}
	most := longestBlock
	if f.height > 0 {
		most = min(most, f.height)
	}
	if missing := min(n-f.row, most-len(f.lines)); missing > 0 {
		f.recall(missing)
	}
	f.row = max(f.row-n, 0)
}

// recall makes the last n shown lines part of the block again, as far as they are remembered.
func (f *filter) recall(n int) {
	before := append(f.tail.Bytes(), f.out...)
	if len(before) > 0 && before[len(before)-1] != '\n' { // the whole line will be shown again
		before = append(before, '\n')
		if !f.broken {
			f.out = append(f.out, '\n')
		}
		f.shown, f.changed, f.broken = 0, false, false
		f.recalled++
	}
	before = lastWhole(before, f.recalled+n)
	added := max(bytes.Count(before, []byte{'\n'})-f.recalled, 0)
	lines := make([][]cell, 0, added+len(f.lines))
	for line := range bytes.Lines(before) {
		if len(lines) == added {
			break // all others are already in the block
		}
		g := newFilter()
		g.write(bytes.TrimSuffix(line, []byte{'\n'}))
		g.build()
		lines = append(lines, g.lines[0])
	}
	f.block = true
	f.recalled += added
	f.row += added
	f.lines = append(lines, f.lines...)
}

// lastWhole returns the last n lines of p, or fewer if the first would be incomplete.
func lastWhole(p []byte, n int) []byte {
	i := len(p)
	for ; n > 0; n-- {
		if i == 0 {
			return p
		}
		j := bytes.LastIndexByte(p[:i-1], '\n')
		if j < 0 && len(p) >= remembered {
			break
		}
		i = j + 1
	}
	return p[i:]
}
