package report

import (
	"strconv"
	"time"
)

// short formats a duration in at most two units: 42s, 1m12s, 2h05m.
func short(d time.Duration) string {
	d = max(d, 0)
	two := func(n int64, unit string, rest int64, small string) string {
		text := strconv.FormatInt(n, 10) + unit
		if rest < 10 {
			text += "0"
		}
		return text + strconv.FormatInt(rest, 10) + small
	}
	switch s := int64(d / time.Second); {
	case s < 60:
		return strconv.FormatInt(s, 10) + "s"
	case s < 3600:
		return two(s/60, "m", s%60, "s")
	default:
		return two(s/3600, "h", s/60%60, "m")
	}
}

// size formats a number of bytes in the largest unit not larger than n, with one decimal below ten.
func size(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	v, unit := float64(n)/1024, 0
	for v >= 1023.5 && unit < 5 {
		v /= 1024
		unit++
	}
	digits := 0
	if v < 9.95 {
		digits = 1
	}
	return strconv.FormatFloat(v, 'f', digits, 64) + " " + "KMGTPE"[unit:unit+1] + "iB"
}
