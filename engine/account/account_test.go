//go:build unix

package account

import (
	"fmt"
	"os"
	"os/user"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("all of these are for root alone")
	}
	listed, err := user.Lookup("daemon")
	if err != nil {
		t.Skip(err)
	}
	gid, d := findGroup("adm")
	if d != nil {
		t.Skip(d)
	}
	of := func(name, uid, gid, home string) string { return fmt.Sprint(name, " ", uid, " ", gid, " ", home) }
	for text, want := range map[string]string{
		"daemon":                of("daemon", listed.Uid, listed.Gid, listed.HomeDir),
		listed.Uid:              of("daemon", listed.Uid, listed.Gid, listed.HomeDir),
		"daemon:adm":            of("daemon", listed.Uid, fmt.Sprint(gid), listed.HomeDir),
		"daemon:77":             of("daemon", listed.Uid, "77", listed.HomeDir),
		"61234:61235":           of("61234", "61234", "61235", "/"),
		"61234:adm":             of("61234", "61234", fmt.Sprint(gid), "/"),
		"61234":                 "there is no user 61234, so its group is not known",
		"nosuch":                `there is no user "nosuch"`,
		"nosuch:adm":            `there is no user "nosuch"`,
		"daemon:nosuch":         `there is no group "nosuch"`,
		"daemon:":               `there is no group ""`,
		":adm":                  `there is no user ""`,
		"":                      `there is no user ""`,
		"4294967295:1":          `there is no user "4294967295"`, // the system takes it for "unchanged"
		"1:4294967295":          `there is no group "4294967295"`,
		"-1:1":                  `there is no user "-1"`,
		"99999999999999:1":      `there is no user "99999999999999"`,
		"root\n:0":              `there is no user "root\n"`,
		"a:b:c":                 `there is no user "a"`,
		strings.Repeat("x", 99): `there is no user "x`,
	} {
		a, err := Find(text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "user: "+want) {
				t.Errorf("%q: %v, want %s", text, err, want)
			}
			continue
		}
		if got := fmt.Sprint(a.Name, " ", a.UID, " ", a.GID, " ", a.Home); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	root, d := Find("root")
	if d != nil || root.Own() != (os.Getegid() == 0) {
		t.Error(root, d)
	}
}

// TestFindUnprivileged: others than root run commands as themselves alone.
func TestFindUnprivileged(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may do anything")
	}
	if a, err := Find(fmt.Sprintf("%d:%d", os.Geteuid(), os.Getegid())); err != nil || !a.Own() {
		t.Error(a, err)
	}
	if _, err := Find("root"); err == nil || !strings.Contains(err.Error(), "only root may do that") {
		t.Error(err)
	}
}
