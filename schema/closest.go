package schema

import "slices"

// closest returns the name that is nearest to word by edit distance, or ""
// when none is near enough to be meant. The first of equals wins.
func closest(word string, names []string) string {
	if len(word) < 3 {
		return "" // every other short word would be near
	}
	limit := min(2, len(word)/2)
	best, bestAt := "", limit+1
	for _, name := range names {
		if n := distance(word, name, bestAt); n < bestAt {
			best, bestAt = name, n
		}
	}
	return best
}

// synonyms are words of other tools that people write out of habit, each after the key with the
// same meaning here.
var synonyms = [...][]string{
	{"deps", "depends", "depends_on", "dependencies", "needs", "requires_tasks"},
	{"cmd", "command", "script", "run_cmd"},
	{"cmds", "commands", "scripts", "steps"},
	{"desc", "description", "help"},
	{"vars", "variables", "args", "params"},
	{"env", "environment"},
	{"dir", "cwd", "workdir", "working_directory", "directory", "working_dir"},
	{"sources", "inputs"},
	{"generates", "outputs"},
	{"if", "when", "condition"},
	{"aliases", "alias"},
	{"dotenv", "env_file", "envfile"},
	{"ignore_error", "continue_on_error", "allow_failure"},
}

// synonym returns the one of names with the same meaning as word, or "".
func synonym(word string, names []string) string {
	for _, s := range synonyms {
		if slices.Contains(s[1:], word) && slices.Contains(names, s[0]) {
			return s[0]
		}
	}
	return ""
}

// distance returns the number of letters to insert, delete, change or swap
// with their neighbour to turn a into b, or some number ≥ limit when it is at
// least that (optimal string alignment).
func distance(a, b string, limit int) int {
	if max(len(a)-len(b), len(b)-len(a)) >= limit {
		return limit
	}
	var buf [3][64]int
	if len(b) >= len(buf[0]) {
		return limit
	}
	before, prev, cur := buf[0][:len(b)+1], buf[1][:len(b)+1], buf[2][:len(b)+1]
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}
