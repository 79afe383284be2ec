package ready

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// newline reads the descriptor, which only the service writes to, up to a newline.
func (p *Probe) newline(ctx context.Context) error {
	f := p.Descriptor
	unterminated := &lostError{"the descriptor was closed without a newline"}
	switch err := f.SetReadDeadline(time.Time{}); {
	case errors.Is(err, os.ErrNoDeadline):
		return seenError(err)
	case err != nil:
		return unterminated
	}
	stop := context.AfterFunc(ctx, func() { f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var buf [512]byte
	for {
		n, err := f.Read(buf[:])
		switch {
		case bytes.IndexByte(buf[:n], '\n') >= 0:
			return nil
		case err == io.EOF || errors.Is(err, os.ErrClosed): // the caller closes it when the program has ended
			return unterminated
		case err != nil:
			return seenError(err)
		}
	}
}

// said waits for a message of the service that it is ready.
func (p *Probe) said(ctx context.Context) error {
	select {
	case _, ok := <-p.Messages:
		if !ok {
			return &lostError{"the channel was closed without a ready message"}
		}
		return nil
	case <-ctx.Done():
		return errors.New("there was no ready message")
	}
}
