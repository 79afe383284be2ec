package schema

import (
	"fmt"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/weftrun/weft/schema/diag"
)

// FormatVersion is the supported version of the format; files that require a later one are refused.
const FormatVersion = "3.54.0"

// checkVersion refuses a file without a version and one of another format.
// broken means that the file has errors, which may have hidden the version.
func (doc *document) checkVersion(broken bool) *diag.Diagnostic {
	d := &diag.Diagnostic{Pos: doc.version.Pos, Kind: diag.Version}
	v := "v" + strings.TrimPrefix(doc.version.S, "v")
	invalid := func(why string) string {
		return fmt.Sprintf("Invalid schema version in Taskfile %q:\nSchema version (%s) %s", doc.File.Path, fullVersion(doc.version.S), why)
	}
	switch {
	case doc.version.S == "" && broken:
		return nil
	case doc.version.S == "":
		d.Pos = diag.Pos{File: doc.File, Line: 1, Column: 1}
		d.What, d.Fix = fmt.Sprintf("Missing schema version in Taskfile %q", doc.File.Path), "begin the file with version: '3'"
	case !semver.IsValid(v):
		d.Kind, d.What, d.Fix = diag.Decode, fmt.Sprintf("version: %q is not a version", doc.version.S), "write version: '3'"
	case semver.Compare(v, "v3.0.0") < 0:
		d.What, d.Fix = invalid("no longer supported. Please use v3 or above"), "write version: '3'"
	case semver.Compare(v, "v"+FormatVersion) > 0:
		d.What = invalid("is greater than the current version of Task (" + FormatVersion + ")")
	default:
		return nil
	}
	return d
}

// fullVersion writes v with all three parts: 2 is 2.0.0.
func fullVersion(v string) string {
	return strings.TrimPrefix(semver.Canonical("v"+strings.TrimPrefix(v, "v")), "v")
}

// sameVersion refuses an included file of another version.
func sameVersion(doc, sub *document, e *includeEntry) *diag.Diagnostic {
	a, b := fullVersion(doc.version.S), fullVersion(sub.version.S)
	if a == b || a == "" || b == "" {
		return nil
	}
	return &diag.Diagnostic{Pos: e.pos,
		What: fmt.Sprintf("Taskfiles versions should match. First is %q but second is %q", a, b), Fix: "write the same version in both files"}
}
