package unnamed

import "os"

// unlinked returns a new file whose name is removed at once where the system
// lets a file outlive its name.
func unlinked() (*os.File, error) {
	f, err := os.CreateTemp("", "weft-")
	if err == nil {
		os.Remove(f.Name())
	}
	return f, err
}
