package schema

import "github.com/weftrun/weft/schema/yaml"

// The rules that say, together with the method, when a task is up to date.
const (
	// FingerprintFull is everything a task's result depends on: commands,
	// variables, environment, paths and content of sources, what was generated.
	FingerprintFull = "full"
	// FingerprintV3 is the rule of the format's own runner: the content of
	// sources alone.
	FingerprintV3 = "task-v3"
)

// fingerprint reads the name of a rule.
func (d *decoder) fingerprint(n *yaml.Node) string {
	rules := []string{"", FingerprintFull, FingerprintV3}
	return rules[d.word(n, "use full or task-v3", rules...)]
}
