//go:build !unix

package report

// AreaOf returns nil: rows are not supported on this system.
func AreaOf(stdout, stderr *Out) *Area { return nil }
