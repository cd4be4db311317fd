package idmap

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

// BenchmarkRootfs measures mounting a root file system, without unmounting it.
func BenchmarkRootfs(b *testing.B) {
	linuxtest.Root(b)
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("overlay/layers=%d", n), func(b *testing.B) {
			benchRootfs(b, layers(b, linuxtest.Dir(b), n))
		})
		b.Run(fmt.Sprintf("plain/layers=%d", n), func(b *testing.B) {
			benchPlain(b, layers(b, linuxtest.Dir(b), n))
		})
	}
	b.Run("directory", func(b *testing.B) {
		benchRootfs(b, Mount{Type: "bind", Source: linuxtest.Dir(b), Options: []string{"rbind"}})
	})
}

func benchRootfs(b *testing.B, m Mount) {
	at := target(b)
	staged(b, testRange, func(s *Stage) error {
		for b.Loop() {
			root, _, err := s.Rootfs(Rootfs{Mounts: []Mount{m}, Target: at})
			if err != nil {
				return err
			}
			b.StopTimer()
			root.Close()
			if err := linux.Detach(at); err != nil {
				return err
			}
			b.StartTimer()
		}
		return nil
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
		for b.Loop() {
			if err := os.Chdir(common); err != nil {
				return err
			}
			if err := linux.Mount("overlay", at, "overlay", 0, data); err != nil {
				return err
			}
			b.StopTimer()
			if err := linux.Detach(at); err != nil {
				return err
			}
			b.StartTimer()
		}
		return nil
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
		for b.Loop() {
			if err := volume(s, root, src, "/mnt/data"); err != nil {
				return err
			}
			b.StopTimer()
			if err := linux.Detach(dir + "/mnt/data"); err != nil {
				return err
			}
			b.StartTimer()
		}
		return nil
	})
}

func volume(s *Stage, root *os.File, path, at string) error {
	src, err := OpenSource(nil, path)
	if err != nil {
		return err
	}
	defer src.Close()
	tree, err := s.Volume(src, VolumeAttr{Recursive: true})
	if err != nil {
		return err
	}
	defer tree.Close()
	place, _, err := s.MountPoint(root, at, src.Stat.IsDir())
	if err != nil {
		return err
	}
	defer place.Close()
	return Attach(tree, place)
}

func BenchmarkDev(b *testing.B) {
	linuxtest.Root(b)
	nodes := []Node{}
	for i, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		nodes = append(nodes, Node{Path: name, Mode: 0o20666, Major: 1, Minor: uint32(i)})
	}
	staged(b, testRange, func(s *Stage) error {
		for b.Loop() {
			dev, err := s.Dev(nodes, 0)
			if err != nil {
				return err
			}
			b.StopTimer()
			dev.Close()
			b.StartTimer()
		}
		return nil
	})
}
