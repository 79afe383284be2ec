package ready

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	// mostHeader is the maximum size of a response's header that is read: status line and headers,
	// including interim responses.
	mostHeader = 64 << 10
	// mostStatus is the maximum length of a status line.
	mostStatus = 4 << 10
	// mostQuoted is the maximum length of a quotation from an invalid response.
	mostQuoted = 40
)

// get requests the resource, and returns nil if the status is 200 to 399.
func (p *Probe) get(ctx context.Context) error {
	r, err := parseURL(p.Target)
	if err != nil {
		return err
	}
	c, err := p.dial(ctx, r.address)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err = io.WriteString(c, "GET "+r.path+" HTTP/1.1\r\nHost: "+r.name+"\r\nUser-Agent: weft\r\nAccept: */*\r\nConnection: close\r\n\r\n")
	if err != nil {
		return seenError(err)
	}
	status, err := readStatus(c)
	switch {
	case err != nil:
		return seenError(err)
	case status < 200 || status >= 400:
		return fmt.Errorf("status %d", status)
	}
	return nil
}

// readStatus reads the head of an answer from r, and returns its status. Interim answers
// before it are skipped.
func readStatus(r io.Reader) (int, error) {
	limited := &io.LimitedReader{R: r, N: mostHeader}
	in := bufio.NewReaderSize(limited, mostStatus)
	for {
		line, err := in.ReadSlice('\n')
		status, ok := parseStatus(line)
		switch {
		case len(line) == 0 && err == io.EOF:
			return 0, errors.New("the connection was closed without a response")
		case err == bufio.ErrBufferFull || !ok && (err == nil || err == io.EOF):
			return 0, fmt.Errorf("a response that is not HTTP: %q", line[:min(len(line), mostQuoted)])
		case err != nil && err != io.EOF:
			return 0, err
		}
		if err := skipFields(in); err == io.EOF && limited.N == 0 {
			return 0, fmt.Errorf("status %d with headers of more than %d KiB", status, mostHeader>>10)
		} else if err == io.EOF {
			return 0, fmt.Errorf("status %d, and the connection was closed within the headers", status)
		} else if err != nil {
			return 0, err
		}
		if status >= 200 || status == 101 {
			return status, nil
		}
	}
}

// skipFields reads the lines of in up to an empty one.
func skipFields(in *bufio.Reader) error {
	for begins := true; ; {
		line, err := in.ReadSlice('\n')
		switch {
		case err == bufio.ErrBufferFull:
			begins = false
			continue
		case err != nil:
			return err
		case begins && len(bytes.TrimRight(line, "\r\n")) == 0:
			return nil
		}
		begins = true
	}
}

// parseStatus reads a status line: HTTP/1.1 200 OK. Text after the number is ignored.
func parseStatus(line []byte) (status int, ok bool) {
	line = bytes.TrimRight(line, "\r\n")
	const begin, length = "HTTP/1.", len("HTTP/1.x 200")
	if !bytes.HasPrefix(line, []byte(begin)) || len(line) < length || line[len(begin)+1] != ' ' || !isDigit(line[len(begin)]) {
		return 0, false
	}
	for _, c := range line[len(begin)+2 : length] {
		if !isDigit(c) {
			return 0, false
		}
		status = 10*status + int(c-'0')
	}
	return status, status >= 100 && (len(line) == length || line[length] == ' ')
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
