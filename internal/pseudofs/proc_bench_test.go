package pseudofs

import (
	"os"
	"path"
	"path/filepath"
	"testing"
)

func BenchmarkRender(b *testing.B) {
	const dir = "testdata/render/6.12-8cpu"
	v := readView(b, dir)
	for _, r := range rendered {
		host, err := os.ReadFile(filepath.Join(dir, "host", r.path))
		if os.IsNotExist(err) {
			continue
		}
		b.Run(path.Base(r.path), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(host)))
			for b.Loop() {
				r.render(host, v)
			}
		})
	}
}
