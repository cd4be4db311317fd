package integration

import (
	"syscall"
	"testing"

	"github.com/eci-runtime/eci/integration/testbed"
)

// TestP05_PodStorm has containers of one pod, and so of one shim, start, run a process,
// and end, all at once. runc is to die with the thread that forked it, and one container's
// creation must not end a thread on which another one's runc was forked.
func TestP05_PodStorm(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	pause := start(t, d, testbed.Container{ID: "pod", Spec: inPod("pod", "sandbox")})
	const clients, rounds = 8, 4
	done := make(chan error)
	for range clients {
		go func() {
			for range rounds {
				c := fromInside(pause, "pod")
				c.Args = []string{"sleep", "1000"}
				task, err := d.Start(deadline(t), withRuntime(c))
				if err != nil {
					done <- err
					return
				}
				executed := make(chan struct{})
				go func() {
					defer close(executed)
					_, _ = task.Exec(deadline(t), "true") // it may be too late
				}()
				_ = task.Kill(deadline(t), syscall.SIGKILL)
				<-executed
				if err := task.Delete(deadline(t)); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range clients {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	wantClaims(t, d, 1, 1)
}
