package avro

import "time"

// appendTemporal appends a date or time as ISO 8601 text, in UTC: 2026-11-21, 10:00:00.000Z, 2026-11-21T10:00:00.000Z. There
// are as many digits after the second as the type has. A local timestamp has no Z.
func appendTemporal(dst []byte, l logical, n int64) []byte {
	switch l {
	case date:
		return appendDate(dst, n)
	case timeMillis:
		return append(appendClock(dst, n, 1000), 'Z')
	case timeMicros:
		return append(appendClock(dst, n, 1_000_000), 'Z')
	case timestampMillis:
		return append(appendTimestamp(dst, n, 1000), 'Z')
	case timestampMicros:
		return append(appendTimestamp(dst, n, 1_000_000), 'Z')
	case timestampNanos:
		return append(appendTimestamp(dst, n, 1_000_000_000), 'Z')
	case localMillis:
		return appendTimestamp(dst, n, 1000)
	case localMicros:
		return appendTimestamp(dst, n, 1_000_000)
	}
	return appendTimestamp(dst, n, 1_000_000_000)
}

const secondsPerDay = 86400

// appendTimestamp writes n units since 1970, so many of them a second.
func appendTimestamp(dst []byte, n, perSecond int64) []byte {
	perDay := secondsPerDay * perSecond
	days := n / perDay
	if n%perDay < 0 {
		days--
	}
	dst = append(appendDate(dst, days), 'T')
	return appendClock(dst, n-days*perDay, perSecond)
}

// appendDate writes the day so many days after 1970-01-01.
func appendDate(dst []byte, days int64) []byte {
	year, month, day := civil(days)
	if year < 0 || year > 9999 { // not in the files of any ERP: the standard library knows how to write it
		return time.Unix(days*secondsPerDay, 0).UTC().AppendFormat(dst, time.DateOnly)
	}
	dst = append(dst, byte('0'+year/1000), byte('0'+year/100%10))
	dst = append2(dst, year%100)
	dst = append2(append(dst, '-'), month)
	return append2(append(dst, '-'), day)
}

// civil is the day of the proleptic Gregorian calendar. Years are counted from March, so that a leap day is the last of its
// year, in cycles of 400 years.
func civil(days int64) (year, month, day int64) {
	z := days + 719468 // days from 0000-03-01 to 1970-01-01
	era := z / 146097
	if z%146097 < 0 {
		era--
	}
	doe := z - era*146097                                  // day of the era
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365 // year of the era
	doy := doe - (365*yoe + yoe/4 - yoe/100)               // day of the year from March
	mp := (5*doy + 2) / 153                                // month from March
	day = doy - (153*mp+2)/5 + 1
	month, year = mp+3, yoe+era*400
	if mp >= 10 {
		month, year = mp-9, year+1
	}
	return year, month, day
}

// appendClock writes n units since midnight. What is no time of a day is written as it comes: hours beyond 23, or a sign.
func appendClock(dst []byte, n, perSecond int64) []byte {
	if n < 0 {
		dst, n = append(dst, '-'), -n
		if n < 0 { // the one number whose opposite does not fit
			n = 0
		}
	}
	s, fraction := n/perSecond, n%perSecond
	hours := s / 3600
	if hours > 99 {
		dst = appendDigits(dst, hours)
	} else {
		dst = append2(dst, hours)
	}
	dst = append2(append(dst, ':'), s/60%60)
	dst = append2(append(dst, ':'), s%60)
	dst = append(dst, '.')
	first := len(dst)
	for unit := perSecond; unit > 1; unit /= 10 {
		dst = append(dst, '0')
	}
	for i := len(dst) - 1; i >= first; i-- {
		dst[i] += byte(fraction % 10)
		fraction /= 10
	}
	return dst
}

func append2(dst []byte, n int64) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

func appendDigits(dst []byte, n int64) []byte {
	if n >= 10 {
		dst = appendDigits(dst, n/10)
	}
	return append(dst, byte('0'+n%10))
}
