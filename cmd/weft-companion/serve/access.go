package serve

import (
	"crypto/x509"
	"encoding/base64"
	"strings"
)

// right is the permission of a caller.
type right int

const (
	mayNothing right = iota
	mayRead
	mayWrite // and read
)

// caller identifies the client of a call, as far as it is known.
type caller struct {
	right right
	name  string // of the token, for the log; "" if it has none
	known bool   // it has shown a token or certificate that is on the list
	// instance bounds which results it may write: those of this instance and of what is below it;
	// "" is all.
	instance string
}

// shown are the credentials of a caller. The zero value has none.
type shown struct {
	authorization string            // the value of the header
	certificate   *x509.Certificate // verified; nil: none
}

// access holds the permissions of clients. Its methods may be called concurrently.
type access struct {
	tokens      *tokens // nil without a file of them
	byAuthority bool    // who has a certificate of --client-ca may write, as there are no tokens
	anonymous   right   // of who shows nothing
	chosen      bool    // anonymous was chosen by a flag
}

func newAccess(o *options) (*access, error) {
	a := &access{anonymous: o.anonymous, chosen: o.anonymousSet, byAuthority: o.clientCA != "" && o.tokens == ""}
	if o.tokens != "" {
		t, err := openTokens(o.tokens)
		if err != nil {
			return nil, err
		}
		a.tokens = t
	}
	return a, nil
}

// setDefault sets what who shows nothing may do, unless a flag has: everything if only this machine
// can connect and nobody is on a list. It must be called before anything else.
func (a *access) setDefault(local bool) {
	if !a.chosen && local && a.tokens == nil && !a.byAuthority {
		a.anonymous = mayWrite
	}
}

// reload reads the file of tokens again.
func (a *access) reload() error {
	if a.tokens == nil {
		return nil
	}
	return a.tokens.reload()
}

// open reports whether every client that can connect may write.
func (a *access) open() bool { return a.anonymous == mayWrite }

// who returns who shows c. The error of a token that is not known is a refusal: to take it for none
// would hide a mistake.
func (a *access) who(c shown) (caller, error) {
	if c.authorization != "" {
		token, ok := tokenIn(c.authorization)
		if a.tokens != nil && ok {
			if who, ok := a.tokens.byToken(token); ok {
				return who, nil
			}
		}
		if a.tokens != nil {
			return caller{}, refuse(unknownCaller, "unknown token")
		}
	}
	if c.certificate != nil {
		if a.byAuthority {
			return caller{right: mayWrite, known: true, name: c.certificate.Subject.CommonName}, nil
		}
		if a.tokens != nil {
			if who, ok := a.tokens.byName(c.certificate.Subject.CommonName); ok {
				return who, nil
			}
		}
	}
	return caller{right: a.anonymous}, nil
}

// check returns a refusal if a caller lacks a right.
func (c caller) check(need right) error {
	switch {
	case c.right >= need:
		return nil
	case !c.known:
		return refuse(unknownCaller, "a token is required")
	}
	return refuse(noRight, "this token does not allow writing")
}

// checkInstance returns a refusal if a caller may not write results of an instance.
func (c caller) checkInstance(instance string) error {
	if c.instance == "" || instance == c.instance || strings.HasPrefix(instance, c.instance+"/") {
		return nil
	}
	return refuse(noRight, "this token allows writing only to results of the instance %q", c.instance)
}

// tokenIn returns the token in the value of an Authorization header: as such (Bearer), or as the
// password of any user (Basic).
func tokenIn(header string) (token string, ok bool) {
	scheme, value, _ := strings.Cut(header, " ")
	value = strings.TrimSpace(value)
	switch {
	case strings.EqualFold(scheme, "bearer"):
		return value, value != ""
	case strings.EqualFold(scheme, "basic"):
		b, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return "", false
		}
		_, token, ok = strings.Cut(string(b), ":")
		return token, ok && token != ""
	}
	return "", false
}
