//go:build linux

package strace

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// scan returns the accesses of a trace, one a line; the lines get a time if they have none.
func scan(t *testing.T, trace string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(trace) {
		pid, rest, ok := strings.Cut(line, " ")
		if ok {
			line = pid + "  1795907392.338128 " + rest
		}
		b.WriteString(line)
	}
	var out []string
	if err := Scan(strings.NewReader(b.String()), "/p", func(a Access) { out = append(out, shown(a)) }); err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, "; ")
}

func shown(a Access) string {
	s := [...]string{"read", "write", "rename", "connect", "end"}[a.Kind] + " " + a.Path
	if a.Kind == End {
		return fmt.Sprint("end ", a.Code)
	}
	if a.From != "" {
		s += " from " + a.From
	}
	if a.Step != "" {
		s += " in " + a.Step
	}
	return s
}

// TestScan: the accesses in the output of strace.
func TestScan(t *testing.T) {
	for name, test := range map[string]struct{ trace, want string }{
		"open":      {"1 openat(AT_FDCWD</p>, \"a\", O_RDONLY|O_CLOEXEC) = 3</p/a>\n", "read /p/a"},
		"write":     {"1 openat(AT_FDCWD</p>, \"a\", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3</p/a>\n1 creat(\"b\", 0644) = 4</p/b>\n1 open(\"c\", O_RDWR|O_CREAT|O_TRUNC, 0644) = 5</p/c>\n", "write /p/a; write /p/b; write /p/c"},
		"both":      {"1 open(\"c\", O_RDWR|O_CREAT, 0644) = 5</p/c>\n", "read /p/c; write /p/c"},
		"openat2":   {"1 openat2(3</p>, \"a\", {flags=O_WRONLY|O_CREAT, mode=0644, resolve=RESOLVE_BENEATH}, 24) = 4</p/a>\n", "write /p/a"},
		"failed":    {"1 openat(AT_FDCWD</p>, \"a\", O_RDONLY) = -1 ENOENT (No such file or directory)\n1 execve(\"/bin/x\", [\"x\"], []) = -1 EACCES (Permission denied)\n1 open(\"a\", 0) = ?\n", ""},
		"directory": {"1 openat(AT_FDCWD</p>, \".\", O_RDONLY|O_DIRECTORY) = 3</p>\n1 open(\"x\", O_PATH) = 4</p/x>\n", ""},
		"no file":   {"1 open(\"x\", O_RDONLY) = 4<pipe:[123]>\n1 open(\"x\", O_RDONLY) = 4\n", ""},
		"escapes":   {`1 openat(AT_FDCWD</p/\74\76>, "\303\274 \"a\\b\",)", O_RDONLY) = 3</p/\74\76/\303\274 \"a\\b\",)>` + "\n", `read /p/<>/ü "a\b",)`},
		"deleted":   {"1 open(\"x\", O_RDONLY) = 4</p/x>(deleted)\n1 open(\"y\", O_RDONLY) = 4</p/y (deleted)>\n", "read /p/x; read /p/y"},
		"unfinished": {"1 openat(AT_FDCWD</p>, \"a\", O_RDONLY <unfinished ...>\n2 +++ exited with 0 +++\n1 <... openat resumed>) = 3</p/a>\n" +
			"1 <... openat resumed>) = 4</p/never/begun>\n", "read /p/a"},
		"rename": {"1 rename(\"a\", \"b\") = 0\n1 renameat2(3</p/d>, \"x\", AT_FDCWD</p/e>, \"../y\", RENAME_NOREPLACE) = 0\n1 renameat(AT_FDCWD, \"/a//b\", AT_FDCWD, \"c\") = 0\n1 renameat2(AT_FDCWD</p>, \"x\", AT_FDCWD</p>, \"y\", RENAME_EXCHANGE) = 0\n",
			"rename /p/b from /p/a; rename /p/y from /p/d/x; rename /p/c from /a/b; write /p/x; write /p/y"},
		"links": {"1 link(\"a\", \"b\") = 0\n1 symlink(\"a\", \"c\") = 0\n1 symlinkat(\"a\", 3</p/d>, \"e\") = 0\n1 linkat(AT_FDCWD</p>, \"a\", 3</p/d>, \"f\", 0) = 0\n1 truncate(\"t\", 0) = 0\n1 mknodat(AT_FDCWD</p>, \"n\", S_IFIFO|0666) = 0\n",
			"write /p/b; write /p/c; write /p/d/e; write /p/d/f; write /p/t; write /p/n"},
		"chdir": {"1 chdir(\"sub\") = 0\n1 rename(\"a\", \"b\") = 0\n1 chdir(\"/nowhere\") = -1 ENOENT (No such file or directory)\n1 rename(\"a\", \"c\") = 0\n1 fchdir(3</q>) = 0\n1 rename(\"a\", \"b\") = 0\n",
			"rename /p/sub/b from /p/sub/a; rename /p/sub/c from /p/sub/a; rename /q/b from /q/a"},
		"fork": {"1 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7) = 2\n2 chdir(\"d\") = 0\n2 rename(\"a\", \"b\") = 0\n1 rename(\"a\", \"b\") = 0\n",
			"rename /p/d/b from /p/d/a; rename /p/b from /p/a"},
		"threads": {"1 clone3({flags=CLONE_VM|CLONE_FS|CLONE_THREAD, stack=0x1} => {parent_tid=[2]}, 88) = 2\n2 chdir(\"d\") = 0\n1 rename(\"a\", \"b\") = 0\n", "rename /p/d/b from /p/d/a"},
		"a child before its parent": {"1 chdir(\"d\") = 0\n1 vfork( <unfinished ...>\n2 rename(\"a\", \"b\" <unfinished ...>\n2 <... rename resumed>) = 0\n1 <... vfork resumed>) = 2\n2 rename(\"c\", \"d\") = 0\n",
			"rename /p/d/b from /p/d/a; rename /p/d/d from /p/d/c"},
		"a parent that is killed": {"1 vfork( <unfinished ...>\n2 rename(\"/a\", \"/b\") = 0\n2 rename(\"a\", \"b\") = 0\n1 +++ killed by SIGKILL +++\n3 rename(\"/c\", \"/d\") = 0\n", "end 137; rename /d from /c; rename /b from /a"},
		"ends":                    {"1 fork() = 2\n2 +++ exited with 1 +++\n1 exit_group(3 <unfinished ...>\n1 +++ exited with 3 +++\n", "end 3"},
		"thread becomes process":  {"9 fork() = 1\n1 clone(flags=CLONE_FS|CLONE_THREAD) = 2\n2 execve(\"run\", [\"run\"], [\"WEFT_STEP_ID=4\"] <unfinished ...>\n1 +++ superseded by execve in pid 2 +++\n1 <... execve resumed>) = 0\n1 rename(\"a\", \"b\") = 0\n", "read /p/run; rename /p/b from /p/a in 4"},
		"steps": {"1 execve(\"/w\", [], [\"WEFT_STEP_ID=9\"]) = 0\n1 vfork() = 2\n2 execve(\"/bin/x\", [\"WEFT_STEP_ID=1\", \"[,\"], [\"A=[\\\"\", \"LONG=0123456789\"..., \"WEFT_STEP_ID=12\"]) = 0\n2 vfork() = 3\n3 execve(\"./inner\", [], [\"WEFT_STEP_ID=5\"]) = 0\n1 rename(\"a\", \"b\") = 0\n",
			"read /w; read /bin/x; read /p/inner in 12; rename /p/b from /p/a"},
		"network": {`1 connect(3, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("1.2.3.4")}, 16) = -1 EINPROGRESS (Operation now in progress)
1 connect(4<TCPv6:[1]>, {sa_family=AF_INET6, sin6_port=htons(9), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=0}, 28) = 0
1 connect(4, {sa_family=AF_UNIX, sun_path="/run/sin_port=htons(1)"}, 28) = 0
1 connect(4, {sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("1.1.1.1")}, 16) = 0
1 sendto(3, "x,{sin_port=htons(5)", 20, 0, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("9.9.9.9")}, 16) = 20
1 sendto(3, "x", 1, 0, NULL, 0) = 1
`, "connect 1.2.3.4:443; connect [::1]:9; connect 9.9.9.9:53"},
		"what is not a trace": {"strace: Process 5 attached\n\n1\n1 \n1 open\n1 open(\n1 open(\"\n1 open() =\n1 open(}) = 3</a>\nx open(\"a\", 0) = 3</a>\n1 <... resumed>\n1 +++ superseded by execve in pid x +++\n1 rename(\"a\"..., \"b\") = 0\n", ""},
		"no end":              {"1 open(\"a\", O_RDONLY) = 3</p/a>", "read /p/a"},
	} {
		if got := scan(t, test.trace); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, test.want)
		}
	}
}

// TestLongLine: a line that is too long is skipped, and costs no more memory than the limit.
func TestLongLine(t *testing.T) {
	long := "1 open(\"" + strings.Repeat("a", maxLine+100) + "\", O_RDONLY) = 3</long>\n1 open(\"b\", O_RDONLY) = 3</b>\n"
	if got := scan(t, long); got != "read /b" {
		t.Errorf("got %.100s", got)
	}
}

// TestRealTrace: the strace of this machine is understood.
func TestRealTrace(t *testing.T) {
	program, err := exec.LookPath("strace")
	if err != nil {
		t.Skip(err)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(t.TempDir(), "trace")
	const script = `mkdir "s u"; cd "s u"; echo hello > 'ü "<>,'; (cat < 'ü "<>,' > copy); mv copy ../moved; ln -s x link; cp ../moved ../again`
	cmd := exec.Command(program, append(Arguments(trace), "/bin/sh", "-c", script)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "LC_ALL=C")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("%v: %s", err, out)
	}
	f, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var got []string
	if err := Scan(f, dir, func(a Access) { got = append(got, strings.ReplaceAll(shown(a), dir, "DIR")) }); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`write DIR/s u/ü "<>,`, `read DIR/s u/ü "<>,`, "write DIR/s u/copy", "rename DIR/moved from DIR/s u/copy", "write DIR/s u/link", "read DIR/moved", "write DIR/again",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, strings.Join(got, "\n"))
		}
	}
}

// FuzzScan: any text is read without a panic; every path is absolute.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		"1 1.000000 openat(AT_FDCWD</p>, \"a\", O_RDONLY) = 3</p/a>\n",
		"1 1.000000 vfork( <unfinished ...>\n2 1.000000 rename(\"a\", \"b\") = 0\n1 1.000001 <... vfork resumed>) = 2\n",
		"1 1.000000 execve(\"x\", [], [\"WEFT_STEP_ID=1\"]) = 0\n1 1.000000 +++ superseded by execve in pid 1 +++\n",
		"1 1.000000 connect(3, {sin6_port=htons(1), inet_pton(AF_INET6, \"::1\", &sin6_addr)}, 2) = 0\n",
		"1 1.000000 creat(\"\\x4\\777\\\", 0) = 3</\\>\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, trace string) {
		err := Scan(strings.NewReader(trace), "/p", func(a Access) {
			if a.Kind < Connect && !filepath.IsAbs(a.Path) || a.Kind == Rename && !filepath.IsAbs(a.From) {
				t.Fatal(fmt.Sprint(a))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
