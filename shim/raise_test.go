package shim

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestPacer: the first passes at once, a flood one by one.
func TestPacer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pacer
		start := time.Now()
		p.wait()
		if took := time.Since(start); took != 0 {
			t.Errorf("the first waited for %v", took)
		}
		time.Sleep(10 * raisePause)
		start = time.Now()
		p.wait()
		if took := time.Since(start); took != 0 {
			t.Errorf("after a while it waited for %v", took)
		}
		for range 5 {
			p.wait()
		}
		if took := time.Since(start); took != 5*raisePause {
			t.Errorf("five more took %v, want %v", took, 5*raisePause)
		}
	})
}
