package seccomp

import (
	"sync"
	"time"
)

// lines lets at most mostLines of a log through in a minute.
type lines struct {
	mu    sync.Mutex
	since time.Time
	n     int
}

const mostLines = 10

func (l *lines) allow(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.since) >= time.Minute {
		l.since, l.n = now, 0
	}
	l.n++
	return l.n <= mostLines
}
