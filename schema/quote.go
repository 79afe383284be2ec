package schema

import "strings"

// quoteYAML returns s, which is one line, as it must be written to be that text
// as a value, also between brackets: as it is, or in quotes.
func quoteYAML(s string) string {
	plain := s != "" && s == strings.TrimSpace(s) && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" ./_-+=$@~^", r))
	}) < 0 && !strings.ContainsRune("-=@~$^+ ", rune(s[0]))
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
