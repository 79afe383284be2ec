//go:build !unix

package proc

func (g *Group) noteNohup(string, []string) {}
