//go:build !linux

package fswatch

import (
	"errors"
	"path/filepath"
	"slices"

	"github.com/fsnotify/fsnotify"
)

// notifier uses fsnotify.
type notifier struct {
	w      *fsnotify.Watcher
	events chan string
}

func newSystem() (System, error) {
	w, err := fsnotify.NewBufferedWatcher(4096)
	if err != nil {
		return nil, err
	}
	n := &notifier{w: w, events: make(chan string, 64)}
	go n.serve()
	return n, nil
}

// serve delivers the paths of the events, those of changed attributes too: callers compare the
// contents.
func (n *notifier) serve() {
	defer close(n.events)
	for {
		select {
		case ev, ok := <-n.w.Events:
			if !ok {
				return
			}
			n.events <- filepath.Clean(ev.Name)
		case err, ok := <-n.w.Errors:
			if !ok {
				return
			}
			if errors.Is(err, fsnotify.ErrEventOverflow) {
				n.events <- ""
			}
		}
	}
}

func (n *notifier) Add(dir string) error { return n.w.Add(dir) }

func (n *notifier) Remove(dir string) { n.w.Remove(dir) } // it may be gone already

func (n *notifier) Watching(dir string) bool { return slices.Contains(n.w.WatchList(), dir) }

func (n *notifier) Events() <-chan string { return n.events }

// Close drops events that were not received yet.
func (n *notifier) Close() error {
	err := n.w.Close()
	for range n.events {
	}
	return err
}

// remote reports whether dir is on a file system that does not report all changes: unknown here.
func remote(string) bool { return false }
