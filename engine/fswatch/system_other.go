//go:build !linux

package fswatch

import (
	"errors"
	"path/filepath"
	"slices"

	"github.com/fsnotify/fsnotify"
)

// notifier is the operating system, by way of fsnotify.
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

// serve hands on paths. Attributes alone are no change of what a file says; that they
// may make a script executable is found by who looks at the file for other reasons.
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

// Close ends the notifier. What it was about to tell is dropped.
func (n *notifier) Close() error {
	err := n.w.Close()
	for range n.events {
	}
	return err
}

// remote reports whether dir is on a file system that does not tell of all changes:
// not known here.
func remote(string) bool { return false }
