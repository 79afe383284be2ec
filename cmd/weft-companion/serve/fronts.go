package serve

import (
	"context"
	"net/http"
	"sync"

	"google.golang.org/grpc"
)

// fronts are the servers of the two protocols.
type fronts struct {
	entry *entrance
	grpc  *grpc.Server
	http  *http.Server
	ended sync.WaitGroup
}

// newFronts serves in the background what comes through the entrance of s.
func newFronts(s *server) *fronts {
	f := &fronts{entry: s.entry, grpc: newGRPC(s), http: newHTTP(s)}
	f.ended.Go(func() { f.grpc.Serve(s.entry.grpc) })
	f.ended.Go(func() { f.http.Serve(s.entry.http) })
	s.entry.serve()
	return f
}

// stop takes no more calls, and waits for those under way until ctx is done; then it cuts them
// off. It reports whether all could end.
func (f *fronts) stop(ctx context.Context) (whole bool) {
	f.entry.shut()
	graceful := make(chan struct{})
	go func() {
		defer close(graceful)
		f.grpc.GracefulStop()
	}()
	whole = f.http.Shutdown(ctx) == nil
	select {
	case <-graceful:
	case <-ctx.Done():
		whole = false
	}
	f.grpc.Stop()
	f.http.Close()
	<-graceful
	f.ended.Wait()
	return whole
}
