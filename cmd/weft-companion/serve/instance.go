package serve

import (
	"strings"
	"unicode/utf8"
)

// maxInstance is the maximum length of an instance's name, in bytes.
const maxInstance = 1024

// cleanInstance returns the name of an instance without slashes at its ends: "" is the one without
// a name. ok is false for what is not a name. A name is never part of the name of a file.
func cleanInstance(name string) (clean string, ok bool) {
	clean = strings.Trim(name, "/")
	if len(clean) > maxInstance || !utf8.ValidString(clean) {
		return "", false
	}
	for _, r := range clean {
		if r < ' ' || r == 0x7f {
			return "", false
		}
	}
	return clean, true
}

// readInstance is cleanInstance for a name that a client sends: the error is a refusal.
func readInstance(name string) (string, error) {
	clean, ok := cleanInstance(name)
	if !ok {
		return "", refuse(malformed, "%.80q is not a name of an instance", name)
	}
	return clean, nil
}
