package otel

import (
	"cmp"
	"net/url"
	"strings"
)

// maxPage is the maximum length of an exported address, in bytes.
const maxPage = 2048

// pages returns the addresses of the CI system's pages of the run, and of its job that has started
// weft; each is "" if the environment does not contain it. A system without a page for jobs, or
// without its address, shows them on the page of the run.
func pages(system string, env func(name string) string) (run, job string) {
	switch system {
	case "github":
		server, repository, id := env("GITHUB_SERVER_URL"), env("GITHUB_REPOSITORY"), env("GITHUB_RUN_ID")
		if server != "" && repository != "" && id != "" {
			run = server + "/" + repository + "/actions/runs/" + id
			if attempt := env("GITHUB_RUN_ATTEMPT"); attempt != "" {
				job = run + "/attempts/" + attempt
			}
		}
	case "gitlab":
		run, job = env("CI_PIPELINE_URL"), env("CI_JOB_URL")
	case "azure":
		collection, project, id := env("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI"), env("SYSTEM_TEAMPROJECT"), env("BUILD_BUILDID")
		if collection != "" && project != "" && id != "" {
			run = strings.TrimSuffix(collection, "/") + "/" + url.PathEscape(project) + "/_build/results?buildId=" + url.QueryEscape(id)
			if in := env("SYSTEM_JOBID"); in != "" {
				job = run + "&view=logs&j=" + url.QueryEscape(in)
			}
		}
	case "buildkite":
		run = env("BUILDKITE_BUILD_URL")
		if id := env("BUILDKITE_JOB_ID"); run != "" && id != "" {
			job = run + "#" + url.PathEscape(id)
		}
	case "teamcity", "jenkins":
		run = env("BUILD_URL")
	}
	run = page(run)
	return run, cmp.Or(page(job), run)
}

// page returns a web address without user and password, or "" if text is not one.
func page(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	u.User = nil
	if text = u.String(); len(text) > maxPage {
		return ""
	}
	return text
}
