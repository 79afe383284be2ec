package yaml

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// BadCharacter finds the first character, or byte, that cannot stand in a text file;
// what is "" if there is none.
func BadCharacter(src string) (offset int, what string) {
	for i, r := range src {
		switch {
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0x7f:
			return i, fmt.Sprintf("control character 0x%02x", r)
		case r == utf8.RuneError && !strings.HasPrefix(src[i:], string(utf8.RuneError)):
			return i, fmt.Sprintf("byte 0x%02x is not UTF-8", src[i])
		case r >= 0x80 && r < 0xa0 && r != 0x85, r == 0xfffe, r == 0xffff: // also refused by the library
			return i, fmt.Sprintf("character U+%04X is not allowed", r)
		}
	}
	return 0, ""
}

// strangeLines reports whether src has lines that end with anything but \n and
// \r\n, which would make the plain reader count wrong.
func strangeLines(src string) bool {
	if strings.IndexByte(src, '\r') >= 0 && strings.Count(src, "\r") != strings.Count(src, "\r\n") {
		return true
	}
	return strings.Contains(src, "\u0085") || strings.Contains(src, "\u2028") || strings.Contains(src, "\u2029")
}
