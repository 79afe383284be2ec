package main

import "strconv"

// ciSystem returns the name of the CI system that weft runs under, according to the
// environment; "other" if that names none; or "" if there is no CI system.
func (a *app) ciSystem() string {
	for _, c := range [...]struct{ system, variable, value string }{
		{"github", "GITHUB_ACTIONS", "true"}, // of Gitea and Forgejo, too
		{"gitlab", "GITLAB_CI", "true"},
		{"azure", "TF_BUILD", "True"},
		{"teamcity", "TEAMCITY_VERSION", ""},
		{"buildkite", "BUILDKITE", "true"},
		{"jenkins", "JENKINS_URL", ""},
	} {
		if v := a.env(c.variable); v != "" && (c.value == "" || v == c.value) {
			return c.system
		}
	}
	if on, err := strconv.ParseBool(a.env("CI")); err == nil && on {
		return "other"
	}
	return ""
}

// maskOutput reports whether secrets are masked even in what commands write to weft's own
// streams. A CI system shows that to everybody.
func (a *app) maskOutput() bool { return a.ciSystem() != "" }
