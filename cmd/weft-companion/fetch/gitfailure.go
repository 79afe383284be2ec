package fetch

import (
	"slices"
	"strings"

	"github.com/weftrun/weft/engine/channel"
)

// gitFailure converts the output of a failed git, in the C locale, to an error of the channel. It
// removes the texts in hide.
func gitFailure(output string, hide []string) *channel.Error {
	for _, secret := range hide {
		output = strings.ReplaceAll(output, secret, "xxxxx")
	}
	return &channel.Error{Kind: gitKind(output), Text: cut(lastLine(output), 500)}
}

// advice is the last line that git writes after a failed connection. The line before it has the
// reason.
const advice = "Could not read from remote repository."

// lastLine returns the line of git's output that contains the reason of the failure.
func lastLine(output string) string {
	if before, _, found := strings.Cut(output, "\n\nPlease make sure you have the correct access rights"); found {
		output = before
	}
	var lines []string
	for line := range strings.Lines(output) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	if n := len(lines); n > 1 && strings.HasSuffix(lines[n-1], advice) {
		lines = lines[:n-1]
	}
	fatal := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "fatal: ") })
	switch {
	case fatal >= 0:
		return strings.TrimPrefix(lines[fatal], "fatal: ")
	case len(lines) > 0:
		return lines[len(lines)-1]
	}
	return "git failed and did not say why"
}

// gitMessages contains messages of git, curl and ssh, by kind of error. The first kind with a
// message in the output applies.
var gitMessages = []struct {
	kind  channel.Kind
	texts []string
}{
	{channel.Certificate, []string{"SSL certificate problem", "certificate verification failed", "Host key verification failed", "SSL peer certificate", "unable to set private key", "could not load PEM client certificate", "error setting certificate"}},
	{channel.Unauthorized, []string{"Authentication failed", "could not read Username", "could not read Password", "Permission denied", "returned error: 401"}},
	{channel.Unreachable, []string{
		"Could not resolve", "Couldn't connect", "Failed to connect", "Connection refused", "Connection timed out", "Operation timed out",
		"Connection reset", "Connection closed", "Network is unreachable", "No route to host", "Temporary failure in name resolution",
		"Name or service not known", "Empty reply from server", "returned error: 5", "RPC failed", "early EOF", "hung up unexpectedly",
		"unexpected disconnect", "SSL_ERROR_SYSCALL", "Recv failure", "Send failure", "transfer closed",
	}},
}

func gitKind(output string) channel.Kind {
	for _, say := range gitMessages {
		if slices.ContainsFunc(say.texts, func(text string) bool { return strings.Contains(output, text) }) {
			return say.kind
		}
	}
	return channel.Git
}
