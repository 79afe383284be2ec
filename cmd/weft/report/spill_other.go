//go:build !linux

package report

import "os"

func unnamed() (*os.File, error) { return unlinked() }
