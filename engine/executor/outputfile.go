package executor

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/weftrun/weft/internal/fifo"
	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/internal/unnamed"
)

// makeFile makes the file that WEFT_OUTPUT names: beside the state, or one that has no name
// of its own.
func (l *outputs) makeFile(owner string) (path string, remove func(), err error) {
	path, remove, err = l.file(owner)
	if err == nil {
		return path, remove, nil
	}
	f, path, err := unnamed.Named()
	if err != nil {
		return "", nil, err
	}
	return path, func() { f.Close() }, nil
}

// maxOutputFile is how much commands may write to the file that WEFT_OUTPUT names.
const maxOutputFile = limit.Output

// readOutputFile reads lines name=value, and values of several lines between
// name<<END and END.
func readOutputFile(path string) (map[string]string, error) {
	large := fmt.Errorf("the file of WEFT_OUTPUT has more than %d bytes", maxOutputFile)
	src, err := fifo.ReadRegular(path, maxOutputFile, large)
	if errors.Is(err, fifo.ErrNotRegular) {
		err = fmt.Errorf("the file of WEFT_OUTPUT was replaced: %w", fifo.ErrNotRegular)
	}
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	in := bufio.NewScanner(bytes.NewReader(src))
	in.Buffer(nil, maxOutputFile+1)
	for n := 1; in.Scan(); n++ {
		line := strings.TrimSuffix(in.Text(), "\r")
		if line == "" {
			continue
		}
		eq, here := strings.IndexByte(line, '='), strings.Index(line, "<<")
		switch {
		case here > 0 && (eq < 0 || here < eq):
			name, end := line[:here], line[here+2:]
			var lines []string
			closed := false
			for in.Scan() {
				n++
				if closed = in.Text() == end; closed {
					break
				}
				lines = append(lines, in.Text())
			}
			if !closed || end == "" {
				return nil, fmt.Errorf("the file of WEFT_OUTPUT: %s<<%s has no end", name, end)
			}
			values[name] = strings.Join(lines, "\n")
		case eq > 0:
			values[line[:eq]] = line[eq+1:]
		default:
			return nil, fmt.Errorf("the file of WEFT_OUTPUT, line %d: %q is not name=value", n, line)
		}
	}
	for name, v := range values {
		if _, err := asText([]byte(v), name); err != nil {
			return nil, err
		}
	}
	return values, in.Err()
}
