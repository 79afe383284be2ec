package probe

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// TrueProgram returns the path of a minimal program, built at the first call, or /bin/true if
// nothing can be built. It is for benchmarks.
var TrueProgram = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "probe")
	if err != nil {
		return "/bin/true"
	}
	src, bin := filepath.Join(dir, "t.c"), filepath.Join(dir, "true")
	os.WriteFile(src, []byte("#include <unistd.h>\nint main(){_exit(0);}\n"), 0o644)
	if exec.Command("cc", "-O2", "-static", "-o", bin, src).Run() != nil {
		return "/bin/true"
	}
	return bin
})
