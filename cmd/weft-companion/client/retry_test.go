package client

import (
	"context"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weftrun/weft/engine/cache"
)

// TestRetries has each call fail some times with each code. It counts the attempts.
func TestRetries(t *testing.T) {
	for code, tries := range map[codes.Code]int{
		codes.Unavailable: 5, codes.Aborted: 5, codes.Internal: 5, codes.Canceled: 5, codes.DeadlineExceeded: 2,
		codes.NotFound: 1, codes.FailedPrecondition: 1, codes.Unknown: 1, codes.ResourceExhausted: 1, codes.OutOfRange: 1,
		codes.InvalidArgument: 1, codes.DataLoss: 1, codes.PermissionDenied: 1, codes.Unauthenticated: 1,
	} {
		for _, failures := range []int{1, tries - 1, tries} {
			t.Run(code.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newScript()
					s.before = func(_ context.Context, method string, n int) error {
						if method == "GetActionResult" && n <= failures {
							return status.Error(code, "no")
						}
						return nil
					}
					l := newLab(t, s, false)
					_, err := l.lookup(t.Context(), Call{}, cache.DigestOf([]byte("action")))
					want := min(failures+1, tries)
					if failures == 0 {
						want = 1
					}
					if got := s.count("GetActionResult"); got != want || err == nil || is(err, absent) != (failures < tries || code == codes.NotFound) {
						t.Errorf("%d failures: %d attempts, want %d; %v", failures, got, want, err)
					}
				})
			})
		}
	}
}
