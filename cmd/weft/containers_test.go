package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// containerBlocks are the examples of docs/containers.md, by language.
func containerBlocks(t *testing.T) map[string][]string {
	t.Helper()
	blocks := map[string][]string{}
	for _, b := range readBlocks(t, "docs/containers.md") {
		blocks[b.lang] = append(blocks[b.lang], b.text)
	}
	return blocks
}

// TestDockerfile checks the Dockerfile of the page, which is that of the example, for known
// mistakes.
func TestDockerfile(t *testing.T) {
	dir := filepath.Join(examplesDir, "container-entrypoint")
	text, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	if shown := containerBlocks(t)["dockerfile"]; len(shown) != 1 || shown[0] != string(text) {
		t.Error("docs/containers.md shows another Dockerfile than the example has")
	}
	for _, problem := range lintDockerfile(string(text), dir) {
		t.Error(problem)
	}
	// The checks find the mistakes.
	for bad, want := range map[string]string{
		"FROM node\nWORKDIR /app\nENTRYPOINT [\"weft\", \"serve\"]":                               "no tag",
		"FROM node:latest\nWORKDIR /app\nENTRYPOINT [\"weft\", \"serve\"]":                        "no tag",
		"FROM node:22\nWORKDIR /app\nENTRYPOINT weft serve":                                       "not a list",
		"FROM node:22\nWORKDIR /app\nENTRYPOINT [\"tini\", \"--\", \"weft\", \"serve\"]":          "not weft",
		"FROM node:22\nWORKDIR /app\nENTRYPOINT [\"weft\", \"server\"]":                           "no task",
		"FROM node:22\nWORKDIR /app\nCOPY none.js ./\nENTRYPOINT [\"weft\", \"serve\"]":           "none.js",
		"FROM node:22\nWORKDIR /app\nCOPY --from=x /weft /bin/\nENTRYPOINT [\"weft\", \"serve\"]": "no stage",
		"FROM node:22\nENTRYPOINT [\"weft\", \"serve\"]":                                          "no WORKDIR",
		"FROM node:22\nWORKDIR /app\nSTOPSIGNAL SIGKILL\nENTRYPOINT [\"weft\", \"serve\"]":        "SIGKILL",
		"FROM node:22\nWORKDIR /app\nENTRYPIONT [\"weft\", \"serve\"]":                            "ENTRYPIONT",
		"FROM node:22\nWORKDIR /app":                                                              "no ENTRYPOINT",
	} {
		if problems := strings.Join(lintDockerfile(bad, dir), "; "); !strings.Contains(problems, want) {
			t.Errorf("%q: %q, want %s", bad, problems, want)
		}
	}
}

// lintDockerfile returns the problems of a Dockerfile whose context is dir.
func lintDockerfile(text, dir string) (problems []string) {
	fail := func(words ...string) { problems = append(problems, strings.Join(words, " ")) }
	stages := map[string]bool{}
	var entry []string
	workdir := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		instruction, rest, _ := strings.Cut(line, " ")
		words := strings.Fields(rest)
		switch instruction {
		case "", "RUN", "ENV", "EXPOSE":
		case "FROM":
			if _, tag, ok := strings.Cut(words[0], ":"); !ok || tag == "latest" {
				fail(line, "has no tag, so it is another image tomorrow")
			}
			if len(words) == 3 {
				stages[words[2]] = true
			}
			entry, workdir = nil, false
		case "COPY":
			sources := words[:len(words)-1]
			if stage, ok := strings.CutPrefix(words[0], "--from="); ok {
				if sources = nil; !stages[stage] {
					fail("there is no stage", stage)
				}
			}
			for _, source := range sources {
				if _, err := os.Stat(filepath.Join(dir, source)); err != nil {
					fail(err.Error())
				}
			}
		case "WORKDIR":
			workdir = true
		case "STOPSIGNAL":
			if rest == "SIGKILL" {
				fail("SIGKILL ends nothing in order")
			}
		case "ENTRYPOINT":
			if err := json.Unmarshal([]byte(rest), &entry); err != nil {
				fail("ENTRYPOINT is not a list:", err.Error())
				entry = []string{"weft", "serve"}
			}
		default:
			fail("there is no instruction", instruction)
		}
	}
	switch {
	case entry == nil:
		fail("no ENTRYPOINT")
	case entry[0] != "weft":
		fail("the first process is not weft but", entry[0])
	default:
		taskfile, _ := os.ReadFile(filepath.Join(dir, "Taskfile.yml"))
		var file struct{ Tasks map[string]any }
		if err := yaml.Unmarshal(taskfile, &file); err != nil {
			fail(err.Error())
		}
		for _, task := range entry[1:] {
			if _, ok := file.Tasks[task]; !ok {
				fail("the Taskfile has no task", task)
			}
		}
	}
	if !workdir {
		fail("no WORKDIR, so there is no Taskfile")
	}
	return problems
}

// TestContainerLimits: in each example of the page weft's time limit is shorter than that of the
// supervisor that kills it.
func TestContainerLimits(t *testing.T) {
	blocks := containerBlocks(t)
	seconds := func(text string) time.Duration {
		if n, err := strconv.Atoi(text); err == nil {
			return time.Duration(n) * time.Second
		}
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Error(err)
		}
		return d
	}
	check := func(name, ours, theirs string, before time.Duration) {
		t.Helper()
		within, limit := seconds(ours), seconds(theirs)-before
		if within <= 0 || within >= limit || within < limit*3/4 {
			t.Errorf("%s: weft has %s, and is killed after %s", name, within, limit)
		}
	}
	var compose struct {
		Services map[string]struct {
			Environment     map[string]string
			StopGracePeriod string `yaml:"stop_grace_period"`
		}
	}
	var pod struct {
		Spec struct {
			Template struct {
				Spec struct {
					Grace      string `yaml:"terminationGracePeriodSeconds"`
					Containers []struct {
						Env       []variable
						Lifecycle struct {
							PreStop struct{ Exec struct{ Command []string } } `yaml:"preStop"`
						}
					}
				}
			}
		}
	}
	if len(blocks["yaml"]) != 2 || len(blocks["json"]) != 1 || len(blocks["ini"]) != 1 {
		t.Fatalf("the page has other examples: %d, %d, %d", len(blocks["yaml"]), len(blocks["json"]), len(blocks["ini"]))
	}
	for i, to := range []any{&compose, &pod} {
		if err := yaml.Unmarshal([]byte(blocks["yaml"][i]), to); err != nil {
			t.Fatal(err)
		}
	}
	app := compose.Services["app"]
	check("Compose", app.Environment["WEFT_STOP_WITHIN"], app.StopGracePeriod, 0)
	spec := pod.Spec.Template.Spec
	container := spec.Containers[0]
	first := container.Lifecycle.PreStop.Exec.Command
	check("Kubernetes", value(container.Env), spec.Grace, seconds(first[len(first)-1]))
	var task struct {
		ContainerDefinitions []struct {
			StopTimeout int
			Environment []variable
		}
	}
	if err := json.Unmarshal([]byte(blocks["json"][0]), &task); err != nil {
		t.Fatal(err)
	}
	def := task.ContainerDefinitions[0]
	check("ECS", value(def.Environment), strconv.Itoa(def.StopTimeout), 0)
	unit := blocks["ini"][0]
	setting := func(name string) string {
		m := regexp.MustCompile(`(?m)^` + name + `=(.*)$`).FindStringSubmatch(unit)
		if m == nil {
			t.Fatalf("the unit has no %s", name)
		}
		return m[1]
	}
	check("systemd", strings.TrimPrefix(setting("Environment"), "WEFT_STOP_WITHIN="), setting("TimeoutStopSec"), 0)
	if setting("Type") != "notify" || setting("KillMode") != "mixed" {
		t.Error(unit)
	}
}

// variable is a variable of the environment, as pods and tasks have it.
type variable struct{ Name, Value string }

// value returns the value of WEFT_STOP_WITHIN.
func value(env []variable) string {
	for _, v := range env {
		if v.Name == "WEFT_STOP_WITHIN" {
			return v.Value
		}
	}
	return ""
}
