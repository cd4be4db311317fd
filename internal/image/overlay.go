package image

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/eci-runtime/eci/idmap"
)

// overlay is what an overlay is made of.
type overlay struct {
	lowers []string // uppermost first
	upper  string   // "": read-only
}

// overlayOf reads the options of an overlay, as given to mount(8) or as mountinfo
// shows them.
func overlayOf(options string) (overlay, error) {
	lowers, upper, _, err := idmap.ShownLayers(options)
	if err == nil && (len(lowers) == 0 || slices.Contains(lowers, "")) {
		err = errors.New("it has none")
	}
	return overlay{lowers, upper}, err
}

// shows tells whether a mounted overlay is made of the same directories. One with
// many layers was mounted in the directory that holds them all, and mountinfo has
// their names below that one only.
func (o overlay) shows(mounted overlay) bool {
	base, short := strings.CutSuffix(o.lowers[0], "/"+mounted.lowers[0])
	same := func(want, got string) bool {
		if short && got != "" && !filepath.IsAbs(got) {
			got = filepath.Join(base, got)
		}
		return want == got
	}
	return same(o.upper, mounted.upper) && slices.EqualFunc(o.lowers, mounted.lowers, same)
}
