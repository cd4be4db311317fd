package seccomp

import "sync"

// inHand are the threads for which something is done. A thread whose call was interrupted makes
// it again at once, while what had been done is still taken back: it has to wait for that, or
// else the two calls would meet.
type inHand struct {
	mu      sync.Mutex
	threads map[uint32]chan struct{} // nil until somebody waits
}

// take waits until nothing is done for a thread any more, and is the next one.
func (h *inHand) take(tid uint32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		ended, busy := h.threads[tid]
		if !busy {
			break
		}
		if ended == nil {
			ended = make(chan struct{})
			h.threads[tid] = ended
		}
		h.mu.Unlock()
		<-ended
		h.mu.Lock()
	}
	if h.threads == nil {
		h.threads = make(map[uint32]chan struct{})
	}
	h.threads[tid] = nil
}

// leave is for whoever has taken it.
func (h *inHand) leave(tid uint32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ended := h.threads[tid]; ended != nil {
		close(ended)
	}
	delete(h.threads, tid)
}
