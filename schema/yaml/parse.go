package yaml

import "github.com/weftrun/weft/internal/limit"

// Parse returns the root node of the first document of src, or nil for one
// without. The error is an [Error], or a [limit.Exceeded] if src holds too much.
func Parse(src string) (*Node, error) {
	r := new(Reader)
	if root := r.plain(src, 0); root != nil || r.made > limit.Nodes {
		return root, tooMany(r.made)
	}
	return r.library(src, 0)
}

// Validate returns the error that Parse returns for a text that is not YAML.
func Validate(src string) error {
	_, err := unmarshal(src)
	return err
}

// tooMany is the error of a document with n nodes, nil if it may have so many.
func tooMany(n int) error {
	if n <= limit.Nodes {
		return nil
	}
	return limit.Count("what the file holds", limit.Nodes, "YAML values")
}

// Error says why a text is not YAML. It is comparable.
type Error struct {
	Line int // 0 if it is not known; often not the line that is wrong
	Text string
}

func (e Error) Error() string { return e.Text }
