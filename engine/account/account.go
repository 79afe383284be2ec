// Package account knows the users and groups of this system: who a program can run as. It
// reads them where the system keeps them, and keeps nothing itself.
package account

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/user"
	"runtime"
	"strconv"
	"strings"

	"github.com/weftrun/weft/schema/diag"
)

// Account is a user, and the groups it is in.
type Account struct {
	Name, Home string // a user that the system does not list has its number as its name
	UID, GID   uint32
	Groups     []uint32 // the supplementary groups
}

// Find returns the account that text names: NAME, UID, or one of these with a group, as in
// www-data:adm and 1000:1000. Only a number needs not be listed by the system, and only
// together with that of a group. Otherwise Find returns what is wrong, without a position:
// there is no such user or group, or weft may not run a program as that user.
func Find(text string) (*Account, *diag.Diagnostic) {
	if runtime.GOOS == "windows" {
		return nil, problem("commands cannot run as another user on this system", "", "leave user out")
	}
	name, group, hasGroup := strings.Cut(text, ":")
	a, d := find(name, hasGroup)
	if d != nil {
		return nil, d
	}
	if hasGroup {
		if a.GID, d = findGroup(group); d != nil {
			return nil, d
		}
	}
	if euid := os.Geteuid(); euid != 0 && !a.Own() {
		return nil, problem(fmt.Sprintf("commands cannot run as %q", text), fmt.Sprintf("only root may do that, and weft runs as user %d", euid), "start weft as root, or leave user out")
	}
	return a, nil
}

// find returns the user of a name or number. A group is given in addition if hasGroup is set.
func find(name string, hasGroup bool) (*Account, *diag.Diagnostic) {
	u, err := user.Lookup(name)
	if err != nil {
		uid, ok := number(name)
		if !ok {
			return nil, unknown("user", name, err)
		}
		if u, err = user.LookupId(name); err != nil && hasGroup {
			return &Account{Name: name, Home: "/", UID: uid}, nil
		} else if err != nil {
			return nil, problem(fmt.Sprintf("there is no user %s, so its group is not known", name), reason(err), fmt.Sprintf("add the group, as in %s:%s", name, name))
		}
	}
	a := &Account{Name: u.Username, Home: cmp.Or(u.HomeDir, "/")}
	var okUser, okGroup bool
	a.UID, okUser = number(u.Uid)
	a.GID, okGroup = number(u.Gid)
	if !okUser || !okGroup {
		return nil, problem(fmt.Sprintf("the user %q has the number %q and the group %q", name, u.Uid, u.Gid), "these are not numeric IDs", "")
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, problem(fmt.Sprintf("the groups of the user %q are not known", name), reason(err), "")
	}
	for _, id := range ids {
		if gid, ok := number(id); ok {
			a.Groups = append(a.Groups, gid)
		}
	}
	return a, nil
}

func findGroup(name string) (gid uint32, d *diag.Diagnostic) {
	g, err := user.LookupGroup(name)
	if err == nil {
		if gid, ok := number(g.Gid); ok {
			return gid, nil
		}
	}
	if gid, ok := number(name); ok {
		return gid, nil
	}
	return 0, unknown("group", name, err)
}

// number reads the number of a user or group. The largest means "unchanged" to the system.
func number(text string) (uint32, bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err == nil && uint32(n) != ^uint32(0)
}

func unknown(kind, name string, err error) *diag.Diagnostic {
	return problem(fmt.Sprintf("there is no %s %q", kind, name), reason(err), "use an existing one, or numbers, as in 1000:1000")
}

// reason returns err as a reason, unless it says nothing but that something was not found.
func reason(err error) string {
	var (
		noUser   user.UnknownUserError
		noUserID user.UnknownUserIdError
		noGroup  user.UnknownGroupError
	)
	if err == nil || errors.As(err, &noUser) || errors.As(err, &noUserID) || errors.As(err, &noGroup) {
		return ""
	}
	return err.Error()
}

func problem(what, why, fix string) *diag.Diagnostic {
	return &diag.Diagnostic{Kind: diag.Other, What: "user: " + what, Why: why, Fix: fix}
}

// Own reports whether a is the user and group that weft runs as.
func (a *Account) Own() bool {
	return int(a.UID) == os.Geteuid() && int(a.GID) == os.Getegid()
}
