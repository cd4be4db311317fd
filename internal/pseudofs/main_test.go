package pseudofs

import (
	"testing"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

func TestMain(m *testing.M) {
	linuxtest.Main(m, map[string]func([]string) error{
		"bench":   childBench,
		"flood":   childFlood,
		"reread":  childReread,
		"rewrite": childRewrite,
	})
}
