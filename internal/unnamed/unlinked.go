package unnamed

import "os"

// unlinked returns a new file. It removes its name at once, if the system supports that.
func unlinked() (*os.File, error) {
	f, err := os.CreateTemp("", "weft-")
	if err == nil {
		os.Remove(f.Name())
	}
	return f, err
}
