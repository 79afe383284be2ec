package remotefile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/weftrun/weft/schema/diag"
)

// judge decides which files may be used. It asks the user about those that are not trusted,
// and keeps copies of fetched ones.
func (op *Opener) judge(ctx context.Context, files []*file) {
	var asked []*file
	for _, f := range files {
		if f.problem != nil {
			continue
		}
		// The loader verifies checksums: a file with a wrong one is neither asked about nor kept.
		right := slices.ContainsFunc(f.Checksums, func(sum string) bool { return strings.EqualFold(sum, f.sum) })
		switch {
		case right || slices.Contains(op.o.TrustedHosts, f.URL.Host()) || op.trust.digest(f.location) == f.sum:
			op.keep(f)
		case len(f.Checksums) == 0:
			asked = append(asked, f)
		}
	}
	var agreed []consent
	for _, f := range op.consent(ctx, asked) {
		op.keep(f)
		agreed = append(agreed, consent{toContent, f.sum, f.location})
	}
	op.trust.add(ctx, agreed)
}

// keep stores a copy of the server's response.
func (op *Opener) keep(f *file) {
	if f.fetched {
		op.cache.write(f, op.o.Now())
	}
}

// consent returns the files that the user agrees to. It sets the problem of the others.
func (op *Opener) consent(ctx context.Context, files []*file) []*file {
	refuse := func(why string) {
		for _, f := range files {
			f.problem = op.notTrusted(f, why)
		}
	}
	switch {
	case len(files) == 0:
		return nil
	case op.o.CopiesOnly:
		for _, f := range files {
			f.problem = unread(f)
		}
		return nil
	case op.o.Reference:
		return op.consentOneByOne(ctx, files)
	}
	if op.o.ShowFirst {
		op.show(files)
	}
	question := op.question(files)
	switch {
	case op.o.AssumeYes:
		op.o.Print(question + " [assuming yes]\n")
		return files
	case op.o.Ask == nil:
		refuse("there is no terminal for the question")
		return nil
	}
	for {
		switch answer, err := op.o.Ask(ctx, question, "y/N/d"); {
		case err == nil && answer == "y":
			return files
		case err == nil && answer == "d":
			op.show(files)
			question = "Use them?"
		default:
			if err == nil {
				err = errors.New("you did not agree")
			}
			refuse(err.Error())
			return nil
		}
	}
}

// question returns the question whether the user agrees to files.
func (op *Opener) question(files []*file) string {
	var b strings.Builder
	b.WriteString("These Taskfiles come from other machines, and you have not agreed to them yet:\n")
	for _, f := range files {
		state := "new"
		if op.trust.digest(f.location) != "" {
			state = "changed since you agreed to it"
		}
		fmt.Fprintf(&b, "  %s (%s)\n", diag.Printable(f.location), state)
	}
	b.WriteString("Anybody who can change them can run commands on this machine. Use them?")
	return b.String()
}

func (op *Opener) show(files []*file) {
	for _, f := range files {
		op.o.Print(op.content(f))
	}
}

// content returns the text that the user is asked to accept: the file, or the difference from the
// version that the user agreed to last, if there is a copy of that.
func (op *Opener) content(f *file) string {
	head := "--- " + f.location + "\n"
	text := f.source
	if c := f.copied; c != nil && c.sum != f.sum && c.sum == op.trust.digest(f.location) {
		head, text = "", string(diff.Diff("agreed to: "+f.location, []byte(c.source), "now: "+f.location, []byte(f.source)))
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return diag.PrintableText(head + text)
}

// consentOneByOne asks like the reference.
func (op *Opener) consentOneByOne(ctx context.Context, files []*file) []*file {
	var agreed []*file
	for _, f := range files {
		question := fmt.Sprintf("The task you are attempting to run depends on the remote Taskfile at %q.", f.location)
		if op.trust.digest(f.location) != "" {
			question = fmt.Sprintf("The Taskfile at %q has changed since you last used it!", f.location)
		}
		if op.ask(ctx, question+"\n--- Make sure you trust the source of this Taskfile before continuing ---\nContinue?") {
			agreed = append(agreed, f)
		} else {
			f.problem = op.notTrusted(f, "")
		}
	}
	return agreed
}

// ask asks a question, and reports whether the answer is yes.
func (op *Opener) ask(ctx context.Context, question string) bool {
	switch {
	case op.o.AssumeYes:
		op.o.Print(question + " [assuming yes]\n")
		return true
	case op.o.Ask == nil:
		return false
	}
	answer, err := op.o.Ask(ctx, question, "y/N")
	return err == nil && answer == "y"
}

// consentToRedirect asks whether f may be fetched from another host.
func (op *Opener) consentToRedirect(ctx context.Context, f *file) bool {
	question := fmt.Sprintf("The Taskfile at %s redirects to another host:\n  %s\nFollow the redirect?", diag.Printable(f.location), diag.Printable(f.redirect.Redacted()))
	if !op.ask(ctx, question) {
		f.problem = &diag.Diagnostic{Kind: diag.NotTrusted, What: fmt.Sprintf("Taskfile %q not trusted by user", f.location),
			Why: fmt.Sprintf("its server redirects to another host, %s", f.redirect.Redacted()),
			Fix: fmt.Sprintf("use the URL that it redirects to, pin its checksum, or trust the host: --trusted-hosts %s", f.redirect.Host())}
		return false
	}
	op.trust.add(ctx, []consent{{toRedirect, f.redirect.Host(), f.location}})
	return true
}
