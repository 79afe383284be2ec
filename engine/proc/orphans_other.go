//go:build !linux || !(amd64 || arm64)

package proc

// ReapStrangers does nothing: only where KEEPER is does a container begin with weft.
func (t *Table) ReapStrangers() {}
