package serve

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/weftrun/weft/schema/diag"
)

// tokens is a file that says who may do what. A line of it is
//
//	read|write sha256:HEX|cn:NAME [instance=PREFIX] [# name]
//
// with the SHA-256 of a token, or the common name of a client's certificate. The tokens themselves
// are nowhere. It is safe for concurrent use.
type tokens struct {
	path string
	list atomic.Pointer[[]grant]
}

// grant is a line of the file.
type grant struct {
	caller
	token  [sha256.Size]byte
	common string // name of a certificate; "" for a token
}

// maxTokens is the maximum size of the file, in bytes.
const maxTokens = 1 << 20

func openTokens(path string) (*tokens, error) {
	t := &tokens{path: path}
	return t, t.reload()
}

// reload reads the file again. If that fails, what was read before stays.
func (t *tokens) reload() error {
	list, err := readTokens(t.path)
	if err != nil {
		return fmt.Errorf("--tokens: %w", err)
	}
	t.list.Store(&list)
	return nil
}

func readTokens(path string) ([]grant, error) {
	before, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !os.SameFile(before, st):
		return nil, fmt.Errorf("%s was replaced while it was opened", path)
	case runtime.GOOS != "windows" && st.Mode()&0o077 != 0:
		return nil, fmt.Errorf("%s is readable for others (mode %04o): chmod 600 it", path, st.Mode()&fs.ModePerm)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxTokens+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxTokens {
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxTokens)
	}
	return parseTokens(path, string(b))
}

// parseTokens returns the lines of a file. An error says the line.
func parseTokens(path, text string) (list []grant, err error) {
	for n, line := range strings.Split(text, "\n") {
		words, name, _ := strings.Cut(line, "#")
		fields := strings.Fields(words)
		if len(fields) == 0 {
			continue
		}
		g, err := parseGrant(fields)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n+1, err)
		}
		g.name = diag.Printable(strings.TrimSpace(name))
		if g.name == "" {
			g.name = fmt.Sprintf("line %d", n+1)
		}
		list = append(list, g)
	}
	return list, nil
}

// parseGrant parses the words of a line. What it quotes is never a token, which somebody
// may have written there.
func parseGrant(words []string) (grant, error) {
	g := grant{caller: caller{known: true}}
	switch words[0] {
	case "read":
		g.right = mayRead
	case "write":
		g.right = mayWrite
	default:
		return g, fmt.Errorf("a line must begin with read or write")
	}
	if len(words) < 2 {
		return g, fmt.Errorf("the holder is missing: sha256:HEX or cn:NAME")
	}
	if digits, ok := strings.CutPrefix(words[1], "sha256:"); ok {
		k, ok := parseKey(digits)
		if !ok {
			return g, fmt.Errorf("sha256: must be followed by 64 hexadecimal digits in lower case; --new-token creates such a line")
		}
		g.token = k
	} else if g.common, ok = strings.CutPrefix(words[1], "cn:"); !ok || g.common == "" {
		return g, fmt.Errorf("the second word is neither sha256:HEX nor cn:NAME; --new-token creates such a line")
	}
	for _, word := range words[2:] {
		instance, ok := strings.CutPrefix(word, "instance=")
		if !ok || instance == "" || g.instance != "" {
			return g, fmt.Errorf("after the holder there may only be instance=PREFIX, and a comment after #")
		}
		if g.instance, ok = cleanInstance(instance); !ok || g.instance == "" {
			return g, fmt.Errorf("instance=PREFIX is not a name of an instance")
		}
	}
	return g, nil
}

// byToken returns who has a token. It takes the same time for all that are on the list.
func (t *tokens) byToken(token string) (who caller, ok bool) {
	sum := sha256.Sum256([]byte(token))
	for _, g := range *t.list.Load() {
		if subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1 && g.common == "" {
			who, ok = g.caller, true
		}
	}
	return who, ok
}

// byName returns who has a certificate with this common name.
func (t *tokens) byName(common string) (who caller, ok bool) {
	if common == "" {
		return who, false
	}
	for _, g := range *t.list.Load() {
		if g.common == common {
			return g.caller, true
		}
	}
	return who, false
}

// printNewToken writes a new token, and the line for the file that gives it a right.
func printNewToken(w io.Writer, right string) error {
	var b [32]byte
	rand.Read(b[:])
	token := base64.RawURLEncoding.EncodeToString(b[:])
	_, err := fmt.Fprintf(w, "token, for the client:       %s\nline, for the --tokens file: %s sha256:%x\n", token, right, sha256.Sum256([]byte(token)))
	return err
}
