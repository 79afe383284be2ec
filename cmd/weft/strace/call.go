//go:build linux

package strace

import (
	"path"
	"strings"
	"time"
)

// call is a system call that has ended.
type call struct {
	time   time.Time // when it began or was resumed
	name   string
	args   []string // as they are written
	result string   // "3</a>", "-1 ENOENT (No such file or directory)"
}

func (c *call) arg(i int) string {
	if i >= len(c.args) {
		return ""
	}
	return c.args[i]
}

// failed reports whether the call had no effect, or it is not known which.
func (c *call) failed() bool {
	return strings.HasPrefix(c.result, "-") || strings.HasPrefix(c.result, "?")
}

// parseCall parses NAME(ARGUMENTS) = RESULT.
func parseCall(text string) (c call, ok bool) {
	name, rest, ok := strings.Cut(text, "(")
	if !ok || name == "" || strings.ContainsAny(name, " <\"") {
		return c, false
	}
	n := end(rest, 0, ')')
	if n >= len(rest) || rest[n] != ')' {
		return c, false
	}
	_, result, ok := strings.Cut(rest[n+1:], "= ")
	if !ok {
		return c, false
	}
	c.name, c.result = name, strings.TrimSpace(result)
	for _, a := range split(rest[:n]) {
		c.args = append(c.args, strings.TrimSpace(a))
	}
	return c, true
}

// split splits a text at its commas, except those in quotes and brackets.
func split(text string) (parts []string) {
	for i := 0; i <= len(text); {
		n := end(text, i, ',')
		parts = append(parts, text[i:n])
		i = n + 1
	}
	return parts
}

// end returns the index in text, from i on, of the next byte that is stop and not in quotes or
// brackets; or that of an unmatched closing bracket; or the length of text.
func end(text string, i int, stop byte) int {
	depth := 0
	for ; i < len(text); i++ {
		switch b := text[i]; {
		case depth == 0 && b == stop:
			return i
		case b == '"':
			i = closing(text, i, '"')
		case b == '<' && i > 0 && (text[i-1] >= '0' && text[i-1] <= '9' || strings.HasSuffix(text[:i], "AT_FDCWD")):
			i = closing(text, i, '>')
		case b == '(', b == '[', b == '{':
			depth++
		case b == ')', b == ']', b == '}':
			if depth == 0 {
				return i
			}
			depth--
		}
	}
	return len(text)
}

// closing returns the index of the byte that ends what begins at i, or the length of text.
// A backslash escapes a byte that is not the end.
func closing(text string, i int, by byte) int {
	for i++; i < len(text) && text[i] != by; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return min(i, len(text))
}

// word returns a text up to its first space or annotation. It is called in many places.
//
//go:noinline
func word(text string) string {
	if i := strings.IndexAny(text, " <"); i >= 0 {
		return text[:i]
	}
	return text
}

// behind returns the path of a descriptor, as in 3</a/b>; "" if there is none.
func behind(text string) string {
	i := strings.IndexByte(text, '<')
	if i < 0 {
		return ""
	}
	n := closing(text, i, '>')
	if n == len(text) {
		return ""
	}
	p := unescape(text[i+1 : n])
	if !path.IsAbs(p) { // a pipe, a socket
		return ""
	}
	return path.Clean(strings.TrimSuffix(p, " (deleted)"))
}

// unquote returns the text in quotes; ok is false if there is none, or it was cut short.
func unquote(text string) (s string, ok bool) {
	if len(text) < 2 || text[0] != '"' || closing(text, 0, '"') != len(text)-1 {
		return "", false
	}
	return unescape(text[1 : len(text)-1]), true
}

// unescape replaces the escapes of C.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch e := s[i]; {
		case strings.IndexByte("abfnrtv", e) >= 0:
			b.WriteByte("\a\b\f\n\r\t\v"[strings.IndexByte("abfnrtv", e)])
		case e == 'x':
			n := digits(s[i+1:], 2, 16)
			b.WriteByte(number(s[i+1:i+1+n], 16))
			i += n
		case e >= '0' && e <= '7':
			n := digits(s[i:], 3, 8)
			b.WriteByte(number(s[i:i+n], 8))
			i += n - 1
		default:
			b.WriteByte(e)
		}
	}
	return b.String()
}

// digits returns the number of digits of a base at the beginning of s, at most max.
func digits(s string, max, base int) int {
	n := 0
	for n < max && n < len(s) && digit(s[n]) < base {
		n++
	}
	return n
}

func number(s string, base int) byte {
	n := 0
	for i := range len(s) {
		n = n*base + digit(s[i])
	}
	return byte(n)
}

// digit returns the value of a digit, or more than any digit has.
func digit(b byte) int {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0')
	case b >= 'a' && b <= 'f':
		return int(b-'a') + 10
	case b >= 'A' && b <= 'F':
		return int(b-'A') + 10
	}
	return 99
}

// address returns where a call connects to or sends, as HOST:PORT; "" if it is not the network.
func address(c *call) string {
	struc := c.arg(1)
	if c.name == "sendto" {
		struc = c.arg(4)
	}
	host, port := "", ""
	for _, field := range split(strings.Trim(struc, "{}")) {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch {
		case name == "sin_port" || name == "sin6_port":
			port = strings.TrimSuffix(strings.TrimPrefix(value, "htons("), ")")
		case name == "sin_addr" && strings.HasPrefix(value, "inet_addr("):
			host, _ = unquote(strings.TrimSuffix(strings.TrimPrefix(value, "inet_addr("), ")"))
		case strings.HasPrefix(name, "inet_pton(AF_INET6"):
			if parts := split(strings.TrimSuffix(field[strings.Index(field, "(")+1:], ")")); len(parts) > 1 {
				host, _ = unquote(strings.TrimSpace(parts[1]))
			}
		}
	}
	if host == "" || port == "" || port == "0" {
		return "" // nothing is sent to port 0: the program asks for a route
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + port
}
