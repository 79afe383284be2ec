package socket

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

// address is where a socket listens.
type address struct {
	network string // "tcp" or "unix"
	text    string // HOST:PORT, or the absolute path of a file
	port    int    // of tcp
}

// parse reads HOST:PORT, :PORT, /PATH or unix:PATH. A path may be relative to dir.
func parse(text, dir string) (address, error) {
	path, isUnix := strings.CutPrefix(text, "unix:")
	switch {
	case isUnix || filepath.IsAbs(text):
		if path == "" {
			return address{}, fmt.Errorf("%q has no path", text)
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		if len(path) > maxPath {
			return address{}, fmt.Errorf("the path %q is longer than the %d bytes allowed for a socket", path, maxPath)
		}
		return address{network: "unix", text: path}, nil
	}
	_, number, err := net.SplitHostPort(text)
	if err != nil {
		return address{}, fmt.Errorf("%q is not an address: write HOST:PORT, :PORT or unix:/PATH", text)
	}
	port, err := strconv.Atoi(number)
	if err != nil || port < 1 || port > maxPort {
		return address{}, fmt.Errorf("%q is not a port: write a number from 1 to %d", number, maxPort)
	}
	return address{network: "tcp", text: text, port: port}, nil
}

const (
	maxPort = 1<<16 - 1
	maxPath = 103 // of struct sockaddr_un on the system that has the least
)
