package report

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/weftrun/weft/schema/diag"
)

// Readers of each system's log, written from the public descriptions.

// shownSection is a section as a reader found it.
type shownSection struct {
	title    string
	from     string
	until    string
	folded   bool
	children []string // lines
}

// shownLog is a log as its reader shows it.
type shownLog struct {
	lines       []string // outside of any section
	sections    []shownSection
	annotations []Annotation
	faults      []string
}

func (l *shownLog) fault(text string) { l.faults = append(l.faults, text) }

var (
	githubCommand   = regexp.MustCompile(`^\s*::([A-Za-z-]+)( [^:]*(?:%3A[^:]*)*)?::(.*)$`)
	gitlabSection   = regexp.MustCompile("^\x1b\\[0Ksection_(start|end):([0-9]+):([A-Za-z0-9_.-]+)(\\[collapsed=true\\])?\r\x1b\\[0K(.*)$")
	azureCommand    = regexp.MustCompile(`##vso\[([a-z]+\.[a-z]+) ?([^\]]*)\](.*)$`)
	teamcityCommand = regexp.MustCompile(`^##teamcity\[([A-Za-z]+)((?: [a-z]+='(?:[^'|\]\[\n]|\|.|\|0x[0-9A-F]{4})*')*)\]$`)
	teamcityField   = regexp.MustCompile(` ([a-z]+)='((?:[^'|]|\|.)*)'`)
)

func readLog(s System, log string) *shownLog {
	l := &shownLog{}
	open := -1
	name := ""
	begin := func(g shownSection) {
		if open >= 0 {
			l.fault("a section begins in another one: " + g.title)
		}
		l.sections = append(l.sections, g)
		open = len(l.sections) - 1
	}
	end := func() {
		if open < 0 {
			l.fault("a section ends that has not begun")
		}
		open = -1
	}
	used := map[string]bool{}
	for line := range strings.Lines(log) {
		line = strings.TrimSuffix(line, "\n")
		taken := true
		switch s {
		case GitHub:
			m := githubCommand.FindStringSubmatch(line)
			switch {
			case m == nil:
				taken = false
			case m[1] == "group":
				begin(shownSection{title: undoPercent(m[3], "%25")})
			case m[1] == "endgroup":
				end()
			case m[1] == "error":
				a := Annotation{Message: undoPercent(m[3], "%25")}
				a.fields(strings.Split(strings.TrimSpace(m[2]), ","), "%25", "file", "line", "col", "title")
				l.annotations = append(l.annotations, a)
			default:
				taken = false
			}
		case GitLab:
			m := gitlabSection.FindStringSubmatch(line)
			switch {
			case m == nil:
				taken = false
			case m[1] == "start":
				if used[m[3]] {
					l.fault("two sections have the name " + m[3])
				}
				used[m[3]], name = true, m[3]
				begin(shownSection{title: m[5], from: m[2], folded: m[4] != ""})
			default:
				if open >= 0 {
					l.sections[open].until = m[2]
				}
				if m[3] != name {
					l.fault("another section ends: " + m[3])
				}
				end()
			}
		case Azure:
			m := azureCommand.FindStringSubmatch(line)
			switch {
			case m != nil && m[1] == "task.logissue":
				a := Annotation{Message: undoPercent(m[3], "%AZP25")}
				a.fields(strings.Split(m[2], ";"), "%AZP25", "sourcepath", "linenumber", "columnnumber", "")
				l.annotations = append(l.annotations, a)
			case m != nil:
				l.fault("an unknown command: " + line)
			case strings.HasPrefix(line, "##[group]"):
				begin(shownSection{title: line[len("##[group]"):]})
			case line == "##[endgroup]":
				end()
			default:
				taken = false
			}
		case TeamCity:
			m := teamcityCommand.FindStringSubmatch(line)
			if m == nil {
				taken = false
				break
			}
			fields := map[string]string{}
			for _, f := range teamcityField.FindAllStringSubmatch(m[2], -1) {
				fields[f[1]] = undoTeamcity(f[2])
			}
			switch m[1] {
			case "blockOpened":
				begin(shownSection{title: fields["name"]})
			case "blockClosed":
				if open >= 0 && l.sections[open].title != fields["name"] {
					l.fault("another block ends: " + fields["name"])
				}
				end()
			case "buildProblem":
				l.annotations = append(l.annotations, Annotation{Message: fields["description"], Key: fields["identity"]})
			default:
				taken = false
			}
		case Buildkite:
			taken = strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "+++ ") || line == "^^^ +++"
			switch {
			case line == "^^^ +++" && len(l.sections) > 0:
				l.sections[len(l.sections)-1].folded = false
			case taken:
				open = -1
				begin(shownSection{title: line[4:], folded: line[0] == '-'})
			}
		default:
			taken = strings.HasPrefix(line, "==== ") && strings.HasSuffix(line, " ====")
			if taken {
				open = -1
				begin(shownSection{title: line[5 : len(line)-5]})
			}
		}
		switch {
		case taken:
		case open >= 0:
			l.sections[open].children = append(l.sections[open].children, line)
		default:
			l.lines = append(l.lines, line)
		}
	}
	if open >= 0 && (s.hides() || s == GitLab) {
		l.fault("a section does not end: " + l.sections[open].title)
	}
	return l
}

// fields parses the properties of a command.
func (a *Annotation) fields(all []string, percent, file, line, column, title string) {
	for _, f := range all {
		name, value, _ := strings.Cut(f, "=")
		value = undoPercent(value, percent)
		n, _ := strconv.Atoi(value)
		switch name {
		case file:
			a.File = value
		case line:
			a.Line = int32(n)
		case column:
			a.Column = int32(n)
		case title:
			a.Title = value
		}
	}
}

func undoPercent(s, percent string) string {
	for _, e := range [...][2]string{{"%0D", "\r"}, {"%0A", "\n"}, {"%3A", ":"}, {"%2C", ","}, {"%3B", ";"}, {"%5D", "]"}, {percent, "%"}} {
		s = strings.ReplaceAll(s, e[0], e[1])
	}
	return s
}

func undoTeamcity(s string) string {
	var units []uint16
	for len(s) > 0 {
		switch {
		case strings.HasPrefix(s, "|0x"):
			n, _ := strconv.ParseUint(s[3:7], 16, 16)
			units, s = append(units, uint16(n)), s[7:]
		case s[0] == '|':
			c := s[1]
			switch c {
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			}
			units, s = append(units, uint16(c)), s[2:]
		default:
			units, s = append(units, uint16(s[0])), s[1:]
		}
	}
	return string(utf16.Decode(units))
}

// hostileTexts are names and messages that a log reader could misinterpret.
var hostileTexts = []string{
	"plain", "a:b,c;d]e[f'g|h%i", "100% ::error::x", "%0A::error::x", "::endgroup::", "##[endgroup]", "##vso[task.complete result=Succeeded]done",
	"##teamcity[blockClosed name='x']", "Grüße 🎈 ' | ]", "a=b,line=7", "x\n::error::y", "x\r\n##vso[task.complete]", "--- a", "\x1b[0Ksection_end:1:weft_1\r\x1b[0K", "%AZP25",
}

// TestSections: a reader finds every section, for any title, and nothing outside.
func TestSections(t *testing.T) {
	at := time.Unix(1000, 0)
	for _, s := range Systems() {
		for i, title := range hostileTexts {
			g := section{title: title, name: "weft_x_" + strconv.Itoa(i), from: at, until: at.Add(time.Minute), folded: true}
			log := string(s.close(append(s.open(nil, g), "inside\n"...), g))
			l := readLog(s, log)
			if len(l.faults) > 0 || len(l.sections) != 1 || len(l.lines) != 0 || len(l.annotations) != 0 {
				t.Errorf("%s, title %q: %+v in %q", s, title, l, log)
				continue
			}
			if got, want := l.sections[0], diag.Printable(title); strings.Join(got.children, "") != "inside" || got.title != want && (s != Azure || got.title != EscapeMarkers(want)) {
				t.Errorf("%s, title %q: %+v", s, title, got)
			}
			if got := l.sections[0]; s == GitLab && (got.from != "1000" || got.until != "1060" || !got.folded) {
				t.Errorf("times of %q: %+v", title, got)
			}
		}
	}
}

// TestAnnotations: a reader finds the intended file, line and text.
func TestAnnotations(t *testing.T) {
	for _, s := range []System{GitHub, Azure, TeamCity} {
		for _, text := range hostileTexts {
			file := strings.NewReplacer("\n", "", "\r", "", "\x1b", "").Replace(text)
			want := Annotation{File: file, Line: 14, Column: 9, Title: file, Message: "first\n" + strings.NewReplacer("\r", "", "\x1b", "").Replace(text)}
			log := string(s.Annotate(nil, want))
			l := readLog(s, log)
			if len(l.faults) > 0 || len(l.annotations) != 1 || len(l.lines) != 0 || len(l.sections) != 0 || strings.Count(log, "\n") != 1 {
				t.Errorf("%s, %q: %+v in %q", s, text, l, log)
				continue
			}
			got := l.annotations[0]
			if s == GitHub && got != want || s == Azure && (got.File != want.File || got.Line != 14 || got.Column != 9) || s != GitHub && got.Message != want.Title+": "+want.Message {
				t.Errorf("%s:\n got %+v\nwant %+v\nin %q", s, got, want, log)
			}
		}
	}
	for _, s := range []System{GitLab, Buildkite, Jenkins, OtherCI, ""} {
		if got := s.Annotate(nil, Annotation{Title: "x", Message: "y"}); len(got) != 0 {
			t.Errorf("%s: %q", s, got)
		}
	}
	long := readLog(TeamCity, string(TeamCity.Annotate(nil, Annotation{Title: "t", Message: strings.Repeat("🎈", 5000)}))).annotations[0]
	if n := len(utf16.Encode([]rune(long.Message))); n > 4000 || n < 3990 {
		t.Errorf("a description of %d units", n)
	}
	if id := long.Key; len(id) > 60 || !regexp.MustCompile(`^[A-Za-z_]\w*$`).MatchString(id) {
		t.Errorf("identity %q", id)
	}
}

// TestDetectSystem: the first system whose variables are set.
func TestDetectSystem(t *testing.T) {
	for _, tt := range []struct {
		env  string
		want System
	}{
		{"", ""}, {"CI=true", OtherCI}, {"CI=1", OtherCI}, {"CI=false", ""}, {"CI=maybe", ""},
		{"GITHUB_ACTIONS=true CI=true", GitHub}, {"GITHUB_ACTIONS=1", ""}, {"GITLAB_CI=true", GitLab}, {"TF_BUILD=True", Azure}, {"TF_BUILD=true", ""},
		{"TEAMCITY_VERSION=2026", TeamCity}, {"BUILDKITE=true", Buildkite}, {"JENKINS_URL=http://x", Jenkins},
		{"JENKINS_URL=http://x GITLAB_CI=true", GitLab},
	} {
		got := DetectSystem(func(name string) string {
			for _, kv := range strings.Fields(tt.env) {
				if n, v, _ := strings.Cut(kv, "="); n == name {
					return v
				}
			}
			return ""
		})
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.env, got, tt.want)
		}
	}
}

// TestHarmless: weft's own lines contain no CI command, and their text is otherwise unchanged.
func TestHarmless(t *testing.T) {
	for _, tt := range [][2]string{
		{"weft: [a] go test", "weft: [a] go test"},
		{"weft: [a] echo ##vso[x]y", "weft: [a] echo # #vso[x]y"},
		{"a\n  ::error::b\nc::d\n", "a\n  : :error::b\nc::d\n"},
		{"##[error]a##teamcity[b]", "# #[error]a# #teamcity[b]"},
		{"## heading", "## heading"},
		{"\x1b[0Ksection_start:1:a[collapsed=true]\r\x1b[0Ka, section_end:2:b", "\x1b[0Ksection_start :1:a[collapsed=true]\r\x1b[0Ka, section_end :2:b"},
		{"my_section_x", "my_section_x"},
	} {
		if got := EscapeMarkers(tt[0]); got != tt[1] {
			t.Errorf("%q: got %q, want %q", tt[0], got, tt[1])
		}
	}
}
