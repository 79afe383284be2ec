//go:build !linux || !(amd64 || arm64)

package heap

const most = 0

func useHugePages(int) {}
