package schema

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
)

// Check returns the problem with the target of a probe of kind k, whose template is expanded,
// and how to fix it; "" if nothing is.
func (k ProbeKind) Check(target string) (what, fix string) {
	switch {
	case k == ProbeLog:
		if _, err := regexp.Compile(target); err != nil {
			return err.Error(), "write a regular expression in the syntax of Go"
		}
	case k == ProbeHTTP:
		return checkURL(target)
	case k == ProbeTCP:
		if path, ok := strings.CutPrefix(target, "unix:"); ok {
			return checkSocket(path)
		}
		return checkHostPort(target)
	case k == ProbeExec && strings.TrimSpace(target) == "":
		return "the command is empty", "write a command that succeeds if the service works"
	case k == ProbeFile && target == "":
		return "the name of the file is empty", "write the name of the file"
	}
	return "", ""
}

const urlFix = "write http://HOST[:PORT]/PATH or unix:/SOCKET:/PATH"

func checkURL(url string) (what, fix string) {
	if strings.ContainsFunc(url, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return fmt.Sprintf("%q is not a URL", url), urlFix
	}
	if socket, ok := strings.CutPrefix(url, "unix:"); ok {
		path, _, _ := strings.Cut(socket, ":")
		return checkSocket(path)
	}
	scheme, rest, ok := strings.Cut(url, "://")
	switch {
	case ok && strings.EqualFold(scheme, "https"):
		return "a probe does not support TLS", "use a program that does: exec: curl -fsS " + url
	case !ok || !strings.EqualFold(scheme, "http"):
		return fmt.Sprintf("%q is not a URL", url), urlFix
	}
	host := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host = rest[:i]
	}
	switch {
	case strings.Contains(host, "@"):
		return "a probe sends no user name", "use a program that does: exec: curl -fsS " + url
	case host == "" || host[0] == ':':
		return fmt.Sprintf("%q has no host", url), urlFix
	case strings.Contains(host[strings.LastIndexByte(host, ']')+1:], ":"):
		return checkHostPort(host)
	}
	return "", ""
}

// CheckListen returns the problem with an address to listen at (HOST:PORT, :PORT, /PATH, or
// unix:PATH, which may be relative to the directory of the task), whose template is expanded,
// and how to fix it; "" if nothing is.
func CheckListen(address string) (what, fix string) {
	path, isUnix := strings.CutPrefix(address, "unix:")
	switch {
	case isUnix && path == "":
		return fmt.Sprintf("%q has no path", address), "write unix:PATH"
	case isUnix || strings.HasPrefix(address, "/"):
		return "", ""
	}
	if what, fix = checkHostPort(address); fix != "" {
		fix += " or unix:PATH"
	}
	return what, fix
}

func checkSocket(path string) (what, fix string) {
	if !strings.HasPrefix(path, "/") {
		return fmt.Sprintf("the path %q of a socket does not begin with /", path), "write unix:/SOCKET"
	}
	return "", ""
}

func checkHostPort(address string) (what, fix string) {
	_, port, err := net.SplitHostPort(address)
	if err != nil || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == '/' }) {
		return fmt.Sprintf("%q is not an address", address), "write HOST:PORT"
	}
	if number, ok := PortNumber(port); !ok || number == 0 {
		return fmt.Sprintf("%q is not a port from 1 to 65535", port), "write HOST:PORT"
	}
	return "", ""
}

// PortNumber parses the number of a port, from 0 to 65535.
func PortNumber(text string) (port int, ok bool) {
	port, err := strconv.Atoi(text)
	return port, err == nil && port >= 0 && port <= 65535
}
