// Package serve is the room of weft-companion that is a cache server: weft --cache=serve.
//
// Clients of the Bazel Remote Execution API (REAPI) keep blobs there by their SHA-256, and the
// results of actions by the digests of these; so do clients of the Bazel HTTP cache protocol. It
// executes nothing, and knows nothing of tasks.
//
//	listen.go, tls.go           connections, and which protocol they have
//	grpc.go …                   capabilities.go, blobs.go, bytestream.go, actions.go: REAPI
//	http.go, httpresult.go      the HTTP cache, /status, /metrics, /healthz
//	access.go, tokens.go        who may read and write
//	store.go …                  index.go, upload.go, results.go, gc.go, space.go, crash.go: what is kept
//
// # What is kept
//
//	v1/cas/ab/<sha256>   blobs: their bytes, mode 0444
//	v1/ac/ab/<sha256>    results, sealed; see results.go
//	v1/tmp/…             what is being received
//	v1/state             whether the last server ended well; see crash.go
//	v1/lock              held by the server: there is one for each directory
//
// A file gets its name when it is complete and has been verified, so that a server that is killed
// leaves only whole files with names. No file is synced, since that costs nine tenths of the
// throughput: instead, blobs that were written before a crash of the machine are verified before
// they are used.
//
// # Memory
//
// An index of what is kept is in memory, some 100 bytes for each blob. Blobs are streamed. What a
// client may send in one message is bounded, and whose right to call is missing is refused before
// its message is read.
package serve

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/weftrun/weft/schema/diag"
)

// Main is the program: args are its flags. It serves until it is interrupted, and returns the
// exit status: 0, 1 after an error, which it has told on stderr, and 2 if the flags are wrong.
func Main(args []string, stdout, stderr io.Writer) int {
	o, err := parseFlags(args, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "weft: --cache=serve:", diag.Printable(err.Error()))
		return 2
	case o.newToken != "":
		err = printNewToken(stdout, o.newToken)
	default:
		signals := make(chan os.Signal, 8)
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
		err = run(o, stderr, signals)
		signal.Stop(signals)
	}
	if err != nil {
		fmt.Fprintln(stderr, "weft: --cache=serve:", diag.Printable(err.Error()))
		return 1
	}
	return 0
}

// run serves until it is told to stop by one of signals; see [server.await].
func run(o *options, stderr io.Writer, signals <-chan os.Signal) error {
	s, err := start(o, stderr)
	if err != nil {
		return err
	}
	return s.await(signals)
}

// server is a running cache server.
type server struct {
	o       *options
	log     *logger
	metrics *metrics
	access  *access
	store   *store
	partial *partials
	calls   calls // that are under way
	entry   *entrance
	fronts  *fronts // gRPC and HTTP
}

// start opens the store and the listeners, and serves in the background. If it fails, nothing is
// left open.
func start(o *options, stderr io.Writer) (*server, error) {
	s := &server{o: o, log: newLogger(stderr, o.logRequests), metrics: newMetrics()}
	access, err := newAccess(o)
	if err != nil {
		return nil, err
	}
	s.access = access
	certificates, err := newCertificates(o)
	if err != nil {
		return nil, err
	}
	entry, err := listen(o, certificates, s.log, s.metrics)
	if err != nil {
		return nil, err
	}
	s.entry = entry
	if err := o.checkExposure(entry.local()); err != nil {
		entry.close()
		return nil, err
	}
	s.access.setDefault(entry.local())
	s.store, err = openStore(storeOptions{dir: o.dir, size: o.size, maxBlob: o.maxBlob, sync: o.sync, log: s.log, metrics: s.metrics})
	if err != nil {
		entry.close()
		return nil, err
	}
	s.partial = newPartials(partialLife)
	s.fronts = newFronts(s)
	s.tellStart()
	return s, nil
}

// tellStart logs what the server does.
func (s *server) tellStart() {
	for _, a := range s.entry.addresses() {
		s.log.say("listening on %s", a)
	}
	s.log.say("keeping at most %s in %s", formatSize(s.o.size), s.store.path())
	if s.access.anonymous == mayWrite {
		s.log.say("every user of this machine who can connect may read and write: see --tokens")
	}
}

// await serves until the first signal that stops, then has calls end within the grace, or until
// another such signal. A hangup reads tokens and certificates again.
func (s *server) await(signals <-chan os.Signal) error {
	for sig := range signals {
		if sig != syscall.SIGHUP {
			s.log.say("stopping: %s", sig)
			break
		}
		s.reload()
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.o.grace)
	defer cancel()
	go func() {
		for {
			select {
			case sig := <-signals:
				if sig != syscall.SIGHUP {
					cancel()
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return s.stop(ctx)
}

// reload reads the files of tokens and certificates again. If one cannot be used, that which was
// read before stays.
func (s *server) reload() {
	err := errors.Join(s.access.reload(), s.entry.certificates.reload())
	if err != nil {
		s.log.say("not reloaded: %v", err)
		return
	}
	s.log.say("reloaded")
}

// stop takes no more calls, waits until those under way have ended or ctx is done, and closes
// the store.
func (s *server) stop(ctx context.Context) error {
	started := time.Now()
	whole := s.fronts.stop(ctx)
	s.entry.close()
	s.partial.close()
	err := s.store.close(ctx)
	if !whole {
		s.log.say("calls in progress were cut off")
	}
	s.log.say("stopped after %s", time.Since(started).Round(time.Millisecond))
	return err
}
