package pseudofs

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// simulated is a source of the container in a directory, whose clock is that of the
// bubble, and shows a minute.
func simulated(t *testing.T, dir string) *Source {
	t.Helper()
	start := time.Now()
	s := NewSource(time.Hour)
	s.clock = func() time.Duration { return time.Hour + time.Minute + time.Since(start) }
	s.SetContainer(map[string]string{"": dir}, os.Getpid())
	return s
}

func sampling(s *Source) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sampler.stop != nil
}

func loads(t *testing.T, s *Source) [3]float64 {
	t.Helper()
	v, err := s.View(NeedLoad)
	if err != nil {
		t.Fatal(err)
	}
	return v.Load
}

// TestSampling has a container that uses two CPUs for a minute before somebody
// reads, and then nothing.
func TestSampling(t *testing.T) {
	linuxtest.NoLeak(t)
	dir := tree(t, map[string]string{"cpu.stat": "user_usec 60000000\nsystem_usec 60000000\n", "cgroup.threads": ""})
	synctest.Test(t, func(t *testing.T) {
		s := simulated(t, dir)
		defer s.Close()
		if sampling(s) {
			t.Fatal("samples before somebody reads")
		}
		first := loads(t, s)
		if first[0] < 1.26 || first[0] > 1.27 {
			t.Errorf("got %v at the first read, want that of the CPU time", first)
		}
		time.Sleep(loadStep - time.Second)
		if got := loads(t, s); got != first {
			t.Errorf("got %v before a step, want %v", got, first)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := loads(t, s); got[0] >= first[0] {
			t.Errorf("got %v after a step, want less than %v", got, first)
		}

		time.Sleep(loadAlone - 10*time.Second)
		synctest.Wait()
		if !sampling(s) {
			t.Error("ended early")
		}
		time.Sleep(2*loadStep + 10*time.Second)
		synctest.Wait()
		if sampling(s) {
			t.Error("samples though nobody reads")
		}

		used := []byte("user_usec 3720000000\nsystem_usec 0\n")
		if err := os.WriteFile(filepath.Join(dir, "cpu.stat"), used, 0o644); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour - loadAlone)
		if got := loads(t, s); got[0] < 0.99 || got[0] > 1.2 || !sampling(s) {
			t.Errorf("got %v after an hour that used one CPU", got)
		}
	})
}

func TestSamplingEnds(t *testing.T) {
	dir := tree(t, map[string]string{"cpu.stat": "", "cgroup.threads": ""})
	synctest.Test(t, func(t *testing.T) { // it fails if a goroutine stays
		s := simulated(t, dir)
		loads(t, s)
		time.Sleep(7 * time.Second)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
