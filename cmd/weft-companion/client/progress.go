package client

import (
	"context"
	"errors"
	"time"
)

// patience is how long a transfer may be without progress.
const patience = 30 * time.Second

// errStalled is the cause of ending a transfer that makes no progress.
var errStalled = errors.New("nothing has arrived for 30 seconds")

// progressing returns a context that is cancelled because of errStalled when progress is not called
// for a time. stop must be called at the end.
func progressing(ctx context.Context, limit time.Duration) (_ context.Context, progress, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(limit, func() { cancel(errStalled) })
	progress = func() {
		if timer.Stop() {
			timer.Reset(limit)
		}
	}
	return ctx, progress, func() {
		timer.Stop()
		cancel(context.Canceled)
	}
}
