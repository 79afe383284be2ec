package fetch

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/vars"
)

// expandHeaders expands the values of headers, which are templates without variables. An error
// contains the name of the header, but not its value.
func expandHeaders(ctx context.Context, lines []channel.Header) (http.Header, error) {
	headers := make(http.Header, len(lines))
	for _, h := range lines {
		if !isToken(h.Name) {
			return nil, &channel.Error{Kind: channel.Invalid, Text: fmt.Sprintf("%q is not the name of an HTTP header", cut(h.Name, 100))}
		}
		value, err := vars.Expand(ctx, h.Value, map[string]any{})
		if err != nil {
			return nil, &channel.Error{Kind: channel.Invalid, Text: fmt.Sprintf("the template of the header %s cannot be expanded", h.Name)}
		}
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, &channel.Error{Kind: channel.Invalid, Text: fmt.Sprintf("the value of the header %s contains a character that cannot be sent, such as a newline", h.Name)}
		}
		headers.Set(h.Name, value)
	}
	return headers, nil
}

// isToken reports whether s can be the name of a header (RFC 9110, 5.6.2).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
	})
}
