package idmap

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

func BenchmarkNewUserNamespace(b *testing.B) {
	linuxtest.Root(b)
	for b.Loop() {
		ns, err := NewUserNamespace(testRange)
		if err != nil {
			b.Fatal(err)
		}
		ns.Close()
	}
}

// BenchmarkPool measures a claim and its release beside others.
func BenchmarkPool(b *testing.B) {
	for _, n := range []int{0, 500} {
		b.Run(fmt.Sprintf("claims=%d", n), func(b *testing.B) {
			p := Pool{
				Dir: filepath.Join(b.TempDir(), "ranges"), First: 100000, Last: 4200000000,
				Size: 65536, Reserved: HostReserved,
			}
			owner := b.TempDir()
			for range n {
				if _, err := p.Claim(owner); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			for b.Loop() {
				r, err := p.Claim("/new")
				if err != nil {
					b.Fatal(err)
				}
				if err := p.Release("/new", r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReserved(b *testing.B) {
	for b.Loop() {
		if _, err := HostReserved.within(100000, 1<<31); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRootfs measures mounting a root file system, without unmounting it:
// "overlay" is the way this kernel allows, "attached" that of older ones, "each"
// has layers that must be cloned one by one, "plain" is without ID-mapping.
func BenchmarkRootfs(b *testing.B) {
	linuxtest.Root(b)
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("overlay/layers=%d", n), func(b *testing.B) {
			benchRootfs(b, layers(b, linuxtest.Dir(b), n), false)
		})
		b.Run(fmt.Sprintf("attached/layers=%d", n), func(b *testing.B) {
			benchRootfs(b, layers(b, linuxtest.Dir(b), n), true)
		})
		b.Run(fmt.Sprintf("each/layers=%d", n), func(b *testing.B) {
			dir := linuxtest.Dir(b)
			benchRootfs(b, relocate(layers(b, linuxtest.Dir(b), n), func(i int, lower string) string {
				to := fmt.Sprintf("%s/%d", dir, i)
				must(b, os.Symlink(lower, to))
				return to
			}), false)
		})
		b.Run(fmt.Sprintf("plain/layers=%d", n), func(b *testing.B) {
			benchPlain(b, layers(b, linuxtest.Dir(b), n))
		})
	}
	b.Run("directory", func(b *testing.B) {
		benchRootfs(b, Mount{Type: "bind", Source: linuxtest.Dir(b), Options: []string{"rbind"}}, false)
	})
}

// timed measures fn without undo. (The timer of b must not be stopped for each
// undo: that stops the world, and distorts what comes after it.)
func timed(b *testing.B, fn, undo func() error) error {
	var sum time.Duration
	for b.Loop() {
		start := time.Now()
		err := fn()
		sum += time.Since(start)
		if err == nil {
			err = undo()
		}
		if err != nil {
			return err
		}
	}
	b.ReportMetric(float64(sum.Nanoseconds())/float64(b.N), "ns/op")
	return nil
}

func benchRootfs(b *testing.B, m Mount, attach bool) {
	at := target(b)
	staged(b, testRange, func(s *Stage) error {
		s.attach = attach
		return timed(b, func() error {
			root, _, err := s.Rootfs(Rootfs{Mounts: []Mount{m}, Target: at})
			if err != nil {
				return err
			}
			return root.Close()
		}, func() error {
			s.drop()
			s.spent = nil
			return linux.Detach(at)
		})
	})
}

// benchPlain measures what is to be compared with: an overlay without
// ID-mapping, mounted by its paths (relative ones, to fit into a page).
func benchPlain(b *testing.B, m Mount) {
	at := target(b)
	o, err := parseOverlay(m.Options)
	must(b, err)
	common := commonDir(o.dirs())
	data := strings.ReplaceAll(strings.Join(m.Options, ","), common+"/", "")
	staged(b, testRange, func(*Stage) error {
		return timed(b, func() error {
			if err := os.Chdir(common); err != nil {
				return err
			}
			return linux.Mount("overlay", at, "overlay", 0, data)
		}, func() error { return linux.Detach(at) })
	})
}

// BenchmarkStage measures the thread with a hop to the host's namespace.
func BenchmarkStage(b *testing.B) {
	linuxtest.Root(b)
	ns, err := NewUserNamespace(testRange)
	must(b, err)
	defer ns.Close()
	host, err := linux.OpenNS(os.Getpid(), "mnt")
	must(b, err)
	defer host.Close()
	for b.Loop() {
		err := RunStage(StageConfig{Range: testRange, UserNS: ns, HostNS: host}, func(s *Stage) error {
			return s.OnHost(func() error { return nil })
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVolume measures a volume from its path to its place.
func BenchmarkVolume(b *testing.B) {
	linuxtest.Root(b)
	src, dir := linuxtest.Dir(b), target(b)
	must(b, os.MkdirAll(dir+"/mnt/data", 0o755))
	staged(b, testRange, func(s *Stage) error {
		root, err := linux.OpenPath(dir)
		if err != nil {
			return err
		}
		defer root.Close()
		return timed(b,
			func() error { return place(s, root, src, "/mnt/data", VolumeAttr{Recursive: true}) },
			func() error { return linux.Detach(dir + "/mnt/data") })
	})
}

func BenchmarkDev(b *testing.B) {
	linuxtest.Root(b)
	staged(b, testRange, func(s *Stage) error {
		var dev *os.File
		return timed(b, func() (err error) {
			dev, err = s.Dev(standardNodes, 0)
			return err
		}, func() error { return dev.Close() })
	})
}

// BenchmarkContainer measures all that a container needs: a range, a user
// namespace, a stage with a hop, ten layers, /dev and three volumes.
func BenchmarkContainer(b *testing.B) {
	linuxtest.Root(b)
	m, at := layers(b, linuxtest.Dir(b), 10), target(b)
	pool := Pool{Dir: linuxtest.Tmpfs(b) + "/ranges", First: 100000, Last: 4200000000, Size: 65536, Reserved: HostReserved}
	host, err := linux.OpenNS(os.Getpid(), "mnt")
	must(b, err)
	defer host.Close()
	vol := linuxtest.Dir(b)
	container := func() error {
		r, err := pool.Claim(vol)
		if err != nil {
			return err
		}
		ns, err := NewUserNamespace(r)
		if err != nil {
			return err
		}
		defer ns.Close()
		return RunStage(StageConfig{Range: r, UserNS: ns, HostNS: host}, func(s *Stage) error {
			root, _, err := s.Rootfs(Rootfs{Mounts: []Mount{m}, Target: at})
			if err != nil {
				return err
			}
			defer root.Close()
			for _, path := range []string{"/etc/hosts", "/etc/resolv.conf", "/data"} {
				if err := place(s, root, vol, path, VolumeAttr{Recursive: true}); err != nil {
					return err
				}
			}
			dev, err := s.Dev(standardNodes, 0)
			if err != nil {
				return err
			}
			defer dev.Close()
			return attachAt(s, root, dev, "/dev", true)
		})
	}
	must(b, timed(b, container, func() error {
		if err := pool.ReleaseOwner(vol); err != nil {
			return err
		}
		return linux.Detach(at)
	}))
}

var standardNodes = []Node{
	{Path: "null", Mode: 0o20666, Major: 1, Minor: 3},
	{Path: "zero", Mode: 0o20666, Major: 1, Minor: 5},
	{Path: "full", Mode: 0o20666, Major: 1, Minor: 7},
	{Path: "random", Mode: 0o20666, Major: 1, Minor: 8},
	{Path: "urandom", Mode: 0o20666, Major: 1, Minor: 9},
	{Path: "tty", Mode: 0o20666, Major: 5, Minor: 0},
}

// BenchmarkExpose measures seven directories of the writable layer, as the default list has
// them, beside what it takes to mount the root file system: when they have to be made, and
// when they are there.
func BenchmarkExpose(b *testing.B) {
	linuxtest.Root(b)
	dirs := strings.Fields("/var/lib/a /var/lib/b /var/lib/c /var/lib/d /var/lib/e /var/lib/f /var/lib/g")
	for _, again := range []bool{false, true} {
		b.Run(fmt.Sprintf("again=%v", again), func(b *testing.B) {
			dir, at := linuxtest.Dir(b), target(b)
			m := layers(b, dir, 10)
			must(b, os.MkdirAll(dir+"/snapshots/0/fs/var/lib", 0o755))
			staged(b, testRange, func(s *Stage) error {
				var root *os.File
				mount := func() (err error) {
					root, _, err = s.Rootfs(Rootfs{Mounts: []Mount{m}, Target: at})
					return err
				}
				must(b, mount())
				defer func() { root.Close() }()
				return timed(b, func() error {
					for _, dir := range dirs {
						if ok, err := s.exposeAt(root, dir); !ok {
							return fmt.Errorf("%s: %w", dir, err)
						}
					}
					return nil
				}, func() error {
					root.Close()
					unmount(at)
					if !again {
						must(b, os.RemoveAll(dir+"/snapshots/10/fs/var"))
					}
					return mount()
				})
			})
		})
	}
}

// BenchmarkHideWhiteouts measures a walk through 1000 directories with ten files each.
func BenchmarkHideWhiteouts(b *testing.B) {
	linuxtest.Root(b)
	dir := linuxtest.Dir(b)
	for i := range 1000 {
		sub := fmt.Sprintf("%s/%d/%d", dir, i/30, i)
		must(b, os.MkdirAll(sub, 0o755))
		for j := range 10 {
			must(b, os.WriteFile(fmt.Sprintf("%s/%d", sub, j), nil, 0o600))
		}
	}
	for b.Loop() {
		f, err := os.Open(dir)
		must(b, err)
		_, err = HideWhiteouts(f)
		must(b, errors.Join(err, f.Close()))
	}
}
