package report

import (
	"strings"
	"time"
)

// FormatDuration formats a duration for messages: in milliseconds below a tenth of a second, in
// tenths of a second below a minute, then in seconds. A last unit of 0 is omitted: "350ms", "4.2s",
// "2m", "1h10m".
func FormatDuration(d time.Duration) string {
	switch {
	case d < shortEnough:
		d = d.Round(time.Millisecond)
	case d < time.Minute:
		d = d.Round(shortEnough)
	default:
		d = d.Round(time.Second)
	}
	text := d.String()
	for _, unit := range [...]string{"m0s", "h0m"} {
		if strings.HasSuffix(text, unit) {
			text = text[:len(text)-2]
		}
	}
	return text
}
