//go:build unix

package cache

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// benchTree makes 1,000 files of 200 kB in WEFT_BENCH_DIR, or in the directory for temporary
// files, and returns where.
func benchTree(b *testing.B) (dir string) {
	dir, err := os.MkdirTemp(os.Getenv("WEFT_BENCH_DIR"), "weft-cache-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.MkdirAll(filepath.Join(dir, "root", "out"), 0o755); err != nil {
		b.Fatal(err)
	}
	random := rand.NewChaCha8([32]byte{1})
	content := make([]byte, 200_000)
	for i := range 1000 {
		random.Read(content)
		if err := os.WriteFile(filepath.Join(dir, "root", "out", fmt.Sprint("f", i)), content, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	time.Sleep(2 * granularity)
	return dir
}

// against measures do and cp -r of the same files in turn, and reports the ratio.
func against(b *testing.B, dir string, prepare, do func()) {
	var ours, theirs []time.Duration
	var cpu, theirCPU time.Duration
	copied := filepath.Join(dir, "copied")
	original := filepath.Join(dir, "original")
	if out, err := exec.Command("cp", "-r", filepath.Join(dir, "root", "out"), original).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	for b.Loop() {
		os.RemoveAll(copied)
		prepare()
		start := time.Now()
		cp := exec.Command("cp", "-r", "--reflink=never", original, copied)
		if out, err := cp.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		theirs = append(theirs, time.Since(start))
		theirCPU += cp.ProcessState.UserTime() + cp.ProcessState.SystemTime()
		os.RemoveAll(copied)
		used := processorTime()
		start = time.Now()
		do()
		ours = append(ours, time.Since(start))
		cpu += processorTime() - used
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	b.ReportMetric(float64(ours[len(ours)/2])/1e6, "ms")
	b.ReportMetric(float64(theirs[len(theirs)/2])/1e6, "cp-ms")
	b.ReportMetric(float64(ours[len(ours)/2])/float64(theirs[len(theirs)/2]), "x-cp")
	b.ReportMetric(float64(ours[0])/float64(theirs[0]), "x-cp-min")
	b.ReportMetric(float64(cpu)/float64(theirCPU), "x-cp-cpu")
}

// processorTime is the CPU time of this process: steadier than the clock on a loaded machine.
func processorTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkRestore(b *testing.B) {
	dir := benchTree(b)
	root := filepath.Join(dir, "root")
	d, err := Open(filepath.Join(dir, "cache"))
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Save(context.Background(), &Saving{Action: action(1), Root: root, Outputs: []string{"out"}}); err != nil {
		b.Fatal(err)
	}
	against(b, dir, func() { os.RemoveAll(filepath.Join(root, "out")) }, func() {
		r, err := d.Lookup(action(1))
		if err == nil {
			err = d.Restore(context.Background(), &Restoring{Root: root, Result: r})
		}
		if err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkSave(b *testing.B) {
	dir := benchTree(b)
	place := filepath.Join(dir, "cache")
	var d *Disk
	against(b, dir, func() {
		if d != nil {
			d.Close()
		}
		os.RemoveAll(place)
		var err error
		if d, err = Open(place); err != nil {
			b.Fatal(err)
		}
	}, func() {
		if _, err := d.Save(context.Background(), &Saving{Action: action(1), Root: filepath.Join(dir, "root"), Outputs: []string{"out"}}); err != nil {
			b.Fatal(err)
		}
	})
	d.Close()
}

// BenchmarkMany keeps and restores 100,000 small files in 1,000 directories.
func BenchmarkMany(b *testing.B) {
	dir, err := os.MkdirTemp(os.Getenv("WEFT_BENCH_DIR"), "weft-cache-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	root := filepath.Join(dir, "root")
	for i := range 100_000 {
		sub := filepath.Join(root, "out", fmt.Sprint("directory", i/1000), fmt.Sprint(i/100))
		if i%100 == 0 {
			if err := os.MkdirAll(sub, 0o755); err != nil {
				b.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprint("file", i, ".js")), fmt.Append(nil, "content ", i), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	d, err := Open(filepath.Join(dir, "cache"))
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	start := time.Now()
	if _, err := d.Save(context.Background(), &Saving{Action: action(1), Root: root, Outputs: []string{"out"}}); err != nil {
		b.Fatal(err)
	}
	b.Logf("kept in %v, %d MiB at most", time.Since(start), peakMemory()>>10)
	restore := func() {
		r, err := d.Lookup(action(1))
		if err == nil {
			err = d.Restore(context.Background(), &Restoring{Root: root, Result: r})
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	for _, gone := range []bool{true, false} {
		b.Run(fmt.Sprintf("gone=%v", gone), func(b *testing.B) {
			against(b, dir, func() {
				if gone {
					os.RemoveAll(filepath.Join(root, "out"))
				}
			}, restore)
			b.ReportMetric(float64(peakMemory())/1024, "MiB-peak")
		})
	}
}

// peakMemory returns the peak memory of this process, in KiB.
func peakMemory() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return int64(u.Maxrss)
}
