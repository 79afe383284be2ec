//go:build !(linux && (amd64 || arm64))

package proc

func showDeathSignal() { panic("only on Linux") }
