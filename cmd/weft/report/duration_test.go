package report

import (
	"testing"
	"time"
)

func TestTook(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 1234 * time.Microsecond: "1ms", 99 * time.Millisecond: "99ms", 149 * time.Millisecond: "100ms",
		4249 * time.Millisecond: "4.2s", 10 * time.Second: "10s", 70400 * time.Millisecond: "1m10s", 2 * time.Minute: "2m",
		time.Hour: "1h", 70 * time.Minute: "1h10m", 3605 * time.Second: "1h0m5s", 10 * time.Hour: "10h",
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
