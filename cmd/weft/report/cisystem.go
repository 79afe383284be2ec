package report

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/weftrun/weft/schema/diag"
)

// System is a CI system, as named by --ci. "" means none.
type System string

// The systems whose logs have groups, except the last, whose logs are plain text.
const (
	GitHub    System = "github" // and Gitea and Forgejo
	GitLab    System = "gitlab"
	Azure     System = "azure"
	TeamCity  System = "teamcity"
	Buildkite System = "buildkite"
	Jenkins   System = "jenkins"
	OtherCI   System = "other"
)

// Systems returns all systems in the order of detection.
func Systems() []System {
	return []System{GitHub, GitLab, Azure, TeamCity, Buildkite, Jenkins, OtherCI}
}

// DetectSystem returns the CI system whose environment is env, or "".
func DetectSystem(env func(name string) string) System {
	on, _ := strconv.ParseBool(env("CI")) // false if it is not a boolean
	switch {
	case env("GITHUB_ACTIONS") == "true":
		return GitHub
	case env("GITLAB_CI") == "true":
		return GitLab
	case env("TF_BUILD") == "True":
		return Azure
	case env("TEAMCITY_VERSION") != "":
		return TeamCity
	case env("BUILDKITE") == "true":
		return Buildkite
	case env("JENKINS_URL") != "":
		return Jenkins
	case on:
		return OtherCI
	}
	return ""
}

// section is a foldable part of a log with a title.
type section struct {
	title  string // one line
	name   string // used by GitLab, unique in the log: [A-Za-z0-9_.-]
	from   time.Time
	until  time.Time // zero: unknown
	folded bool      // collapsed when the log is opened, if the system supports that
}

// open appends the line that begins a section.
func (s System) open(b []byte, g section) []byte {
	title := diag.Printable(g.title)
	switch s {
	case GitHub:
		return fmt.Appendf(b, "::group::%s\n", githubText(title))
	case GitLab:
		folded := ""
		if g.folded {
			folded = "[collapsed=true]"
		}
		return fmt.Appendf(b, "\x1b[0Ksection_start:%d:%s%s\r\x1b[0K%s\n", g.from.Unix(), g.name, folded, title)
	case Azure:
		return fmt.Appendf(b, "##[group]%s\n", EscapeMarkers(title))
	case TeamCity:
		return fmt.Appendf(b, "##teamcity[blockOpened name='%s']\n", teamcityText(title))
	case Buildkite:
		mark := "---"
		if !g.folded {
			mark = "+++"
		}
		return fmt.Appendf(b, "%s %s\n", mark, title)
	}
	return fmt.Appendf(b, "==== %s ====\n", title)
}

// close appends the line that ends a section.
func (s System) close(b []byte, g section) []byte {
	switch s {
	case GitHub:
		return append(b, "::endgroup::\n"...)
	case GitLab:
		return fmt.Appendf(b, "\x1b[0Ksection_end:%d:%s\r\x1b[0K\n", g.until.Unix(), g.name)
	case Azure:
		return append(b, "##[endgroup]\n"...)
	case TeamCity:
		return fmt.Appendf(b, "##teamcity[blockClosed name='%s']\n", teamcityText(diag.Printable(g.title)))
	}
	return b
}

// hides reports whether the system collapses every section, whatever weft requests.
func (s System) hides() bool { return s == GitHub || s == Azure || s == TeamCity }

// Annotation is a failure that a CI system shows beside the log, at a position in a file.
type Annotation struct {
	File         string // relative to the checkout; "" if outside of it
	Line, Column int32
	Title        string // what failed, one line
	Message      string // why, one or more lines
	Key          string // identifies the failure across builds; may be ""
}

// Annotate appends a line with an annotation, or nothing if the system has none.
func (s System) Annotate(b []byte, a Annotation) []byte {
	title, message := diag.Printable(a.Title), diag.PrintableText(a.Message)
	switch s {
	case GitHub:
		b = append(b, "::error "...)
		if a.File != "" {
			b = fmt.Appendf(b, "file=%s,line=%d,col=%d,", githubProperty(diag.Printable(a.File)), a.Line, a.Column)
		}
		return fmt.Appendf(b, "title=%s::%s\n", githubProperty(title), githubText(message))
	case Azure:
		b = append(b, "##vso[task.logissue type=error"...)
		if a.File != "" {
			b = fmt.Appendf(b, ";sourcepath=%s;linenumber=%d;columnnumber=%d", azureProperty(diag.Printable(a.File)), a.Line, a.Column)
		}
		return fmt.Appendf(b, "]%s\n", azureText(title+": "+message))
	case TeamCity:
		return fmt.Appendf(b, "##teamcity[buildProblem description='%s' identity='%s']\n", teamcityText(cut(title+": "+message, mostProblem)), problemIdentity(a.Key, title))
	}
	return b
}

// Import appends a line that makes the system read a JUnit report, or nothing if it has no such
// line. path is relative to the checkout.
func (s System) Import(b []byte, path string) []byte {
	if s != TeamCity {
		return b
	}
	return fmt.Appendf(b, "##teamcity[importData type='junit' path='%s']\n", teamcityText(diag.Printable(path)))
}

// mostProblem is the maximum length of a TeamCity problem description, in UTF-16 units.
const mostProblem = 4000

// cut returns a prefix of s of at most n UTF-16 units.
func cut(s string, n int) string {
	for i, r := range s {
		if n -= utf16.RuneLen(r); n < 0 {
			return s[:i]
		}
	}
	return s
}

// problemIdentity returns a Java identifier for a failure.
func problemIdentity(key, title string) string {
	h := fnv.New64a()
	h.Write([]byte(key))
	h.Write([]byte(title))
	return fmt.Sprintf("weft_%016x", h.Sum64())
}

// The escapes of each system. GitHub and Azure decode them in the properties and text of a command;
// Azure decodes percent signs only in the form %AZP25.

func githubText(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func githubProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}

func azureText(s string) string {
	return strings.NewReplacer("%", "%AZP25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func azureProperty(s string) string {
	return strings.NewReplacer("%", "%AZP25", "\r", "%0D", "\n", "%0A", ";", "%3B", "]", "%5D").Replace(s)
}

func teamcityText(s string) string {
	var b []byte
	for _, r := range s {
		switch {
		case r == '\n':
			b = append(b, "|n"...)
		case r == '\r':
			b = append(b, "|r"...)
		case strings.ContainsRune("|'[]", r):
			b = append(b, '|', byte(r))
		case r < 0x80:
			b = append(b, byte(r))
		default:
			for _, unit := range utf16.AppendRune(nil, r) {
				b = fmt.Appendf(b, "|0x%04X", unit)
			}
		}
	}
	return string(b)
}

// workflowCommands are the prefixes of CI commands in the output of programs.
var workflowCommands = [...]string{"::", "##[", "##vso[", "##teamcity["}

// isWorkflowCommand reports whether a line is, or may be, a CI command.
func isWorkflowCommand(line []byte) bool {
	if len(line) < 2 || line[0] != ':' && line[0] != '#' {
		return false
	}
	for _, prefix := range workflowCommands {
		if len(line) >= len(prefix) && string(line[:len(prefix)]) == prefix {
			return true
		}
	}
	return false
}

// EscapeMarkers returns text with a space inserted into each marker that a CI system would take for
// a command, or that folds a part of GitLab's log. Systems look for "::" at the beginning of a
// line, after spaces, and for the other markers anywhere. It is for weft's own text, and for output
// that is shown a second time.
func EscapeMarkers(text string) string {
	if !strings.Contains(text, "##") && !strings.Contains(text, "::") && !strings.Contains(text, "section_") {
		return text
	}
	for _, mark := range workflowCommands[1:] {
		text = strings.ReplaceAll(text, mark, "# "+mark[1:])
	}
	for _, mark := range [...]string{"section_start", "section_end"} {
		text = strings.ReplaceAll(text, mark+":", mark+" :")
	}
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		if rest := strings.TrimLeft(line, " \t\r"); strings.HasPrefix(rest, "::") {
			lines[i] = line[:len(line)-len(rest)] + ": " + rest[1:]
		}
	}
	return strings.Join(lines, "")
}
