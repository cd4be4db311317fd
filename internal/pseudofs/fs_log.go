package pseudofs

import (
	"sync"
	"time"
)

// A container decides how often something goes wrong, so what is logged of it is bounded: ten
// lines in a minute.
const (
	logLines = 10
	logSpan  = time.Minute
)

// bounded is a log that loses what is too much, and says how much that was.
func bounded(logf func(string, ...any)) func(string, ...any) {
	if logf == nil {
		return func(string, ...any) {}
	}
	var mu sync.Mutex
	var begin time.Time
	var lines, lost int
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(begin) > logSpan {
			if lost > 0 {
				logf("%d lines about pseudo-files were left out", lost)
			}
			begin, lines, lost = now, 0, 0
		}
		if lines++; lines > logLines {
			lost++
			return
		}
		logf(format, args...)
	}
}
