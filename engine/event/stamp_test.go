package event

import (
	"testing"
	"time"
)

// TestStamp: a stamp formats times like package time, whatever it formatted before.
func TestStamp(t *testing.T) {
	east, west := time.FixedZone("", 5*60*60+30*60), time.FixedZone("", -(9*60*60))
	day := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var s stamp
	for _, at := range []time.Time{
		{}, day, day.Add(time.Nanosecond), day.Add(time.Microsecond), day.Add(100 * time.Millisecond), day.Add(999_999_999), day.Add(time.Second),
		day.In(east), day.In(west), day.In(west).Add(120 * time.Microsecond), day.In(time.FixedZone("", 0)), day,
		time.Date(1969, 12, 31, 23, 59, 59, 999_999_999, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 1000, time.UTC), time.Date(12345, 1, 1, 0, 0, 0, 1000, west),
	} {
		want := at.Truncate(time.Microsecond).UTC().Format(time.RFC3339Nano)
		if got := string(s.append(nil, at)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
