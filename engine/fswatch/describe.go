package fswatch

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// describe says why a directory cannot be watched, and what can be done.
func describe(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return "the limit of watched directories is reached (raise it: sysctl fs.inotify.max_user_watches=1048576)"
	case errors.Is(err, syscall.EMFILE):
		return "the limit of watchers is reached (raise it: sysctl fs.inotify.max_user_instances=1024)"
	}
	var pe *os.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Sprint(err)
}
