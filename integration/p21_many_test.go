package integration

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/eci-runtime/eci/integration/testbed"
)

// many is how many containers a test of many starts at once, by ECI_TEST_MANY.
func many(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("ECI_TEST_MANY"))
	if err != nil || n < 1 {
		t.Skip("takes minutes, and some 20 MB for each container: ECI_TEST_MANY=500 starts 500, and 100 pods")
	}
	return n
}

// each calls fn for 0 to n-1, four at a time.
func each(n int, fn func(i int) error) []error {
	var wait sync.WaitGroup
	errs, slots := make([]error, n), make(chan struct{}, 4)
	for i := range n {
		slots <- struct{}{}
		wait.Go(func() {
			errs[i] = fn(i)
			<-slots
		})
	}
	wait.Wait()
	return errs
}

// TestP21_ManyPods: pods on one node, each with a container, a range of its own and one shim.
func TestP21_ManyPods(t *testing.T) {
	n := max(many(t)/5, 1)
	d := criBed(t, testbed.Options{Bridge: true})
	k := kubelet{t, d, d.CRI()}
	ids := make([]string, n)
	t.Cleanup(func() {
		for _, err := range each(n, func(i int) error {
			if ids[i] == "" {
				return nil
			}
			_, err := k.cri.StopPodSandbox(deadline(t), &runtimeapi.StopPodSandboxRequest{PodSandboxId: ids[i]})
			if err == nil {
				_, err = k.cri.RemovePodSandbox(deadline(t), &runtimeapi.RemovePodSandboxRequest{PodSandboxId: ids[i]})
			}
			return err
		}) {
			succeedLater(t, err)
		}
		checkClean(t, d)
	})
	succeed(t, each(n, func(i int) error {
		config := k.podOf(fmt.Sprintf("pod-%d", i), nil)
		made, err := k.cri.RunPodSandbox(deadline(t), &runtimeapi.RunPodSandboxRequest{Config: config, RuntimeHandler: testbed.HandlerPath})
		if err != nil {
			return err
		}
		ids[i] = made.PodSandboxId
		_, err = k.tryInPod(ids[i], config, "idle", nil)
		return err
	})...)
	wantClaims(t, d, 2*n, n)
	shims, err := d.Shims("")
	succeed(t, err)
	if len(shims) != n {
		t.Errorf("%d shims for %d pods", len(shims), n)
	}
	t.Logf("%d pods: %.1f MiB for each shim, of two containers", n, weigh(t, shims)/float64(n))
}

// TestP21_ManyContainers: what the shims of idle containers need, beside runc's.
func TestP21_ManyContainers(t *testing.T) {
	n := many(t)
	found := map[string]float64{}
	for _, runtime := range []string{"runc", "eci"} {
		t.Run(runtime, func(t *testing.T) {
			d := freshBed(t, testbed.Options{})
			tasks := make([]*testbed.Task, n)
			t.Cleanup(func() {
				for _, err := range each(n, func(i int) error {
					if tasks[i] == nil {
						return nil
					}
					return tasks[i].Delete(deadline(t))
				}) {
					succeedLater(t, err)
				}
			})
			succeed(t, each(n, func(i int) (err error) {
				tasks[i], err = d.Start(deadline(t), testbed.Container{Runtime: runtime, Args: []string{"sleep", "100000"}})
				return err
			})...)
			shims, err := d.Shims("")
			succeed(t, err)
			if len(shims) != n {
				t.Errorf("%d shims of %d containers", len(shims), n)
			}
			found[runtime] = weigh(t, shims)
		})
	}
	ratio := found["eci"] / found["runc"]
	t.Logf("shims of %d idle containers: %.0f MiB, runc's %.0f MiB: %.2f", n, found["eci"], found["runc"], ratio)
	if ratio > 1.3 {
		t.Errorf("the shims need %.2f times what runc's do, of at most 1.3", ratio)
	}
}

// weigh is what processes need that have come to rest, in MiB: they give memory back a moment
// after their last container has started.
func weigh(t *testing.T, processes []testbed.Process) float64 {
	t.Helper()
	last := weighOnce(t, processes)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		time.Sleep(2 * time.Second)
		now := weighOnce(t, processes)
		if now > 0.995*last {
			return now
		}
		last = now
	}
	return last
}

// weighOnce adds up the memory of processes, shared parts in proportion.
func weighOnce(t *testing.T, processes []testbed.Process) (sum float64) {
	t.Helper()
	for _, p := range processes {
		for line := range strings.Lines(readFile(t, fmt.Sprintf("/proc/%d/smaps_rollup", p.Pid))) {
			if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
				kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
				succeed(t, err)
				sum += kib / 1024
			}
		}
	}
	return sum
}
