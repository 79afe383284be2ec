package schema

// closest returns the name that is nearest to word by edit distance, or ""
// when none is near enough to be meant. The first of equals wins.
func closest(word string, names func(yield func(string))) string {
	limit := min(2, len(word)/2) // so that a short word is not "near" every other
	best, bestAt := "", limit+1
	names(func(name string) {
		if n := distance(word, name, bestAt); n < bestAt {
			best, bestAt = name, n
		}
	})
	return best
}

// synonym knows words of other tools that people write out of habit, and
// returns the key that says the same here, or "".
func synonym(word string) string {
	switch word {
	case "depends", "depends_on", "dependencies", "needs", "requires_tasks":
		return "deps"
	case "command", "script", "run_cmd":
		return "cmd"
	case "commands", "scripts", "steps":
		return "cmds"
	case "description", "help":
		return "desc"
	case "variables", "args", "params":
		return "vars"
	case "environment":
		return "env"
	case "cwd", "workdir", "working_directory", "directory", "working_dir":
		return "dir"
	case "inputs":
		return "sources"
	case "outputs":
		return "generates"
	case "when", "condition":
		return "if"
	case "alias":
		return "aliases"
	case "env_file", "envfile":
		return "dotenv"
	case "continue_on_error", "allow_failure":
		return "ignore_error"
	}
	return ""
}

// distance returns the number of letters to insert, delete, change or swap
// with their neighbour to turn a into b, or some number ≥ limit when it is at
// least that (optimal string alignment).
func distance(a, b string, limit int) int {
	if abs(len(a)-len(b)) >= limit {
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

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
