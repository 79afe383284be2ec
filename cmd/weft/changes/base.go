package changes

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// base is the commit to compare with.
type base struct {
	commit string // its full name
	name   string // as shown to users
	head   string // the commit that is checked out
}

// rule describes the variable in which a CI system names the branch that a change is for.
type rule struct {
	marker   string // a variable that the system always sets
	variable string // the name of the branch, or of the commit
	deepen   string // how to make it fetch all history
}

// rules are those of the CI systems that name the branch in the environment.
func rules() []rule {
	const full = "fetch the whole history"
	return []rule{
		{"GITHUB_ACTIONS", "GITHUB_BASE_REF", "set fetch-depth: 0 for actions/checkout"}, // Gitea and Forgejo, too
		{"GITLAB_CI", "CI_MERGE_REQUEST_DIFF_BASE_SHA", "set the variable GIT_DEPTH: 0"},
		{"GITLAB_CI", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "set the variable GIT_DEPTH: 0"},
		{"GITLAB_CI", "CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_NAME", "set the variable GIT_DEPTH: 0"},
		{"BITBUCKET_BUILD_NUMBER", "BITBUCKET_PR_DESTINATION_BRANCH", "write clone: {depth: full}"},
		{"TF_BUILD", "SYSTEM_PULLREQUEST_TARGETBRANCH", "set fetchDepth: 0 for the step checkout"},
		{"BUILDKITE", "BUILDKITE_PULL_REQUEST_BASE_BRANCH", full},
		{"JENKINS_URL", "CHANGE_TARGET", "disable shallow clones"},
		{"CIRRUS_CI", "CIRRUS_BASE_SHA", "set CIRRUS_CLONE_DEPTH: 0"},
		{"CIRRUS_CI", "CIRRUS_BASE_BRANCH", "set CIRRUS_CLONE_DEPTH: 0"},
		{"DRONE", "DRONE_TARGET_BRANCH", "write clone: {depth: 0}"},
		{"CI_PIPELINE_FORGE_URL", "CI_COMMIT_TARGET_BRANCH", "set depth: 0 for the clone step"}, // Woodpecker
		{"BITRISE_IO", "BITRISEIO_GIT_BRANCH_DEST", full},
		{"CODEBUILD_BUILD_ID", "CODEBUILD_WEBHOOK_BASE_REF", "set the clone depth to Full"},
		{"PROW_JOB_ID", "PULL_BASE_SHA", full},
	}
}

// findBase returns the base that rev names; for "" the default, see the package comment.
func (r *repository) findBase(ctx context.Context, rev string) (base, error) {
	if rev != "" {
		return r.named(ctx, rev)
	}
	for _, rule := range rules() {
		if variable(r.environ, rule.marker) == "" {
			continue
		}
		if value := strings.TrimPrefix(variable(r.environ, rule.variable), "refs/heads/"); value != "" {
			b, err := r.first(ctx, "refs/remotes/origin/"+value, "refs/heads/"+value, value)
			if err == nil && b.commit == "" {
				err = fmt.Errorf("%s names %s, which is not in this clone: %s", rule.variable, value, r.fetch(rule.deepen, value))
			}
			if err != nil {
				return base{}, err
			}
			return r.mergeBase(ctx, b, rule.deepen)
		}
	}
	b, err := r.first(ctx, "refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/heads/main", "refs/remotes/origin/master", "refs/heads/master")
	if err != nil {
		return base{}, err
	}
	if b.commit == "" {
		return base{}, errors.New("there is no origin/HEAD, and no branch main or master: choose a revision to compare with, as in --affected=HEAD~1")
	}
	return r.mergeBase(ctx, b, r.deepen())
}

// named returns the base that the user has named: a revision itself, or with "..." at its end the
// merge base of it and HEAD.
func (r *repository) named(ctx context.Context, rev string) (base, error) {
	if strings.ContainsAny(rev, "\n\x00") {
		return base{}, fmt.Errorf("%q is not a revision", rev)
	}
	name, merged := strings.CutSuffix(rev, "...")
	b, err := r.first(ctx, name)
	if err != nil {
		return base{}, err
	}
	if b.commit == "" {
		what := fmt.Sprintf("git does not know the commit %q: use a branch, a tag or a commit of this clone", name)
		if r.shallow {
			what += "; it is shallow: " + r.fetch(r.deepen(), "")
		}
		return base{}, errors.New(what)
	}
	if merged {
		return r.mergeBase(ctx, b, r.deepen())
	}
	return b, nil
}

// first returns the first of some revisions that is a commit. The base has no commit if none is.
func (r *repository) first(ctx context.Context, revs ...string) (base, error) {
	var ask strings.Builder
	for _, rev := range append([]string{"HEAD"}, revs...) {
		ask.WriteString(rev + "^{commit}\n")
	}
	out, err := r.git.run(ctx, r.top, ask.String(), "cat-file", "--batch-check=%(objectname) %(objecttype)")
	if err != nil {
		return base{}, err
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != len(revs)+1 {
		return base{}, errForm
	}
	b := base{}
	for i, line := range lines {
		id, is := strings.CutSuffix(line, " commit")
		switch {
		case !is:
		case i == 0:
			b.head = id
		case b.commit == "":
			b.commit, b.name = id, strings.TrimPrefix(strings.TrimPrefix(revs[i-1], "refs/remotes/"), "refs/heads/")
		}
	}
	return b, nil
}

// mergeBase returns the commit at which HEAD has left b.
func (r *repository) mergeBase(ctx context.Context, b base, deepen string) (base, error) {
	out, err := r.git.run(ctx, r.top, "", "merge-base", "HEAD", b.commit)
	var f *failed
	switch {
	case errors.As(err, &f) && f.code == 1 && f.said == "":
		if r.shallow {
			return b, fmt.Errorf("this clone is shallow and has no common ancestor of HEAD and %s: %s", b.name, r.fetch(deepen, ""))
		}
		return b, fmt.Errorf("HEAD and %s have no common ancestor: choose a revision to compare with, as in --affected=%s", b.name, b.name)
	case err != nil:
		return b, err
	}
	b.commit = strings.TrimSpace(out)
	return b, nil
}

// deepen returns how to fetch all history, if the CI system is known.
func (r *repository) deepen() string {
	for _, rule := range rules() {
		if variable(r.environ, rule.marker) != "" {
			return rule.deepen
		}
	}
	return ""
}

// fetch returns how to get the missing commits. branch is that of the remote repository which is
// missing, too; "" if none is.
func (r *repository) fetch(deepen, branch string) string {
	how := "git fetch origin"
	if r.shallow {
		how = "git fetch --unshallow origin"
	}
	if branch != "" {
		how += fmt.Sprintf(" %s:refs/remotes/origin/%[1]s", branch)
	}
	if deepen != "" {
		return fmt.Sprintf("%s, or run %q", deepen, how)
	}
	return fmt.Sprintf("run %q", how)
}
