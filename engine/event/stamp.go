package event

import "time"

// stamp formats times for event files: RFC 3339 in UTC with microseconds, so that the time zone of
// the machine is not read. It caches the second, which most times share with the one before. The
// zero stamp is ready to use.
type stamp struct {
	second int64
	text   []byte // text of the last second, without the zone; nil at first
}

// append appends the time at to b.
func (s *stamp) append(b []byte, at time.Time) []byte {
	if second := at.Unix(); s.text == nil || second != s.second {
		s.second = second
		s.text = at.UTC().AppendFormat(s.text[:0], "2006-01-02T15:04:05")
	}
	return append(appendFraction(append(b, s.text...), int64(at.Nanosecond()/1000)), 'Z')
}

// appendFraction appends microseconds, less than a second, after a decimal point; nothing for 0.
func appendFraction(b []byte, us int64) []byte {
	if us == 0 {
		return b
	}
	high, low := uint32(us)/1000, uint32(us)%1000
	b = append(b, '.', '0'+byte(high/100), '0'+byte(high/10%10), '0'+byte(high%10), '0'+byte(low/100), '0'+byte(low/10%10), '0'+byte(low%10))
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	return b
}
