package idmap

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

func TestTmpPieces(t *testing.T) {
	for _, n := range []int{1, 100} {
		m := layers(t, linuxtest.Dir(t), n)
		at := target(t)
		var names []string
		d := map[string][]time.Duration{}
		var last time.Time
		mark := func(name string) {
			now := time.Now()
			if !last.IsZero() && name != "" {
				if d[name] == nil {
					names = append(names, name)
				}
				d[name] = append(d[name], now.Sub(last))
			}
			last = time.Now()
		}
		op, _ := parseOptions(m.Options)
		o, _ := parseOverlay(op.data)
		staged(t, testRange, func(s *Stage) error {
			for range 200 {
				mark("")
				l, err := s.cloneLayers(o, overlayMapping{true, true})
				must(t, err)
				mark("clone")
				must(t, linux.ChangeDir(l.trees[0]))
				mark("chdir")
				data := o.option(l.names)
				mark("option")
				must(t, s.AsRoot(func() error {
					mark("asroot")
					err := linux.Mount("overlay", at, "overlay", 0, data)
					mark("mount")
					return err
				}))
				mark("asroot2")
				f, err := linux.OpenPath(at)
				must(t, err)
				mark("open")
				l.Close()
				mark("close tree")
				f.Close()
				mark("close root")
				must(t, os.Chdir("/"))
				must(t, linux.Detach(at))
				mark("detach")
			}
			return nil
		})
		for _, k := range names {
			slices.Sort(d[k])
			fmt.Printf("%d layers %-12s min %6d p25 %6d median %6d us\n", n, k, d[k][0].Microseconds(), d[k][50].Microseconds(), d[k][100].Microseconds())
		}
	}
}
