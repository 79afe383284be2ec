package otel

import (
	"strings"
	"testing"
)

func TestPages(t *testing.T) {
	github := map[string]string{"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "7"}
	with := func(m map[string]string, name, value string) map[string]string {
		all := map[string]string{name: value}
		for k, v := range m {
			if k != name {
				all[k] = v
			}
		}
		return all
	}
	azure := map[string]string{"SYSTEM_TEAMFOUNDATIONCOLLECTIONURI": "https://dev.azure.com/o/", "SYSTEM_TEAMPROJECT": "my project", "BUILD_BUILDID": "7"}
	for _, test := range []struct {
		system   string
		env      map[string]string
		run, job string
	}{
		{"github", github, "https://github.com/o/r/actions/runs/7", "https://github.com/o/r/actions/runs/7"},
		{"github", with(github, "GITHUB_RUN_ATTEMPT", "2"), "https://github.com/o/r/actions/runs/7", "https://github.com/o/r/actions/runs/7/attempts/2"},
		{"github", with(github, "GITHUB_RUN_ID", ""), "", ""},
		{"gitlab", map[string]string{"CI_PIPELINE_URL": "https://git.example/o/r/-/pipelines/7", "CI_JOB_URL": "https://git.example/o/r/-/jobs/8"}, "https://git.example/o/r/-/pipelines/7", "https://git.example/o/r/-/jobs/8"},
		{"gitlab", map[string]string{"CI_PIPELINE_URL": "https://me:token@git.example/p"}, "https://git.example/p", "https://git.example/p"},
		{"gitlab", map[string]string{"CI_PIPELINE_URL": "javascript:alert(1)", "CI_JOB_URL": "/jobs/8"}, "", ""},
		{"gitlab", map[string]string{"CI_PIPELINE_URL": "https://git.example/" + strings.Repeat("x", maxPage)}, "", ""},
		{"gitlab", map[string]string{"CI_PIPELINE_URL": "https://git.example/\x1b]8;;x\n"}, "", ""},
		{"azure", azure, "https://dev.azure.com/o/my%20project/_build/results?buildId=7", "https://dev.azure.com/o/my%20project/_build/results?buildId=7"},
		{"azure", with(azure, "SYSTEM_JOBID", "a b"), "https://dev.azure.com/o/my%20project/_build/results?buildId=7", "https://dev.azure.com/o/my%20project/_build/results?buildId=7&view=logs&j=a+b"},
		{"buildkite", map[string]string{"BUILDKITE_BUILD_URL": "https://buildkite.com/o/p/builds/7", "BUILDKITE_JOB_ID": "0a-1b"}, "https://buildkite.com/o/p/builds/7", "https://buildkite.com/o/p/builds/7#0a-1b"},
		{"buildkite", map[string]string{"BUILDKITE_JOB_ID": "0a-1b"}, "", ""},
		{"teamcity", map[string]string{"BUILD_URL": "https://tc.example/build/7"}, "https://tc.example/build/7", "https://tc.example/build/7"},
		{"jenkins", map[string]string{"BUILD_URL": "http://ci.example/job/x/7/"}, "http://ci.example/job/x/7/", "http://ci.example/job/x/7/"},
		{"other", map[string]string{"BUILD_URL": "http://ci.example/"}, "", ""},
		{"", github, "", ""},
	} {
		run, job := pages(test.system, func(name string) string { return test.env[name] })
		if run != test.run || job != test.job {
			t.Errorf("%s, %v: %q and %q, want %q and %q", test.system, test.env, run, job, test.run, test.job)
		}
	}
}
