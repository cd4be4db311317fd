package idmap

import (
	"fmt"
	"path/filepath"
	"strings"
)

// overlayLayers are the directories of an overlay, absolute.
type overlayLayers struct {
	// lowers are the read-only layers, uppermost first.
	lowers []lowerLayer
	// upper and work are "" for a read-only overlay.
	upper, work string
	// data are the other options, as given.
	data []string
}

type lowerLayer struct {
	path string
	// dataOnly marks a layer that holds only file contents (metacopy).
	dataOnly bool
}

// parseOverlay takes the layers out of the options that overlayfs reads.
func parseOverlay(data []string) (overlayLayers, error) {
	var o overlayLayers
	var err error
	for _, opt := range data {
		key, value, _ := strings.Cut(opt, "=")
		switch key {
		case "lowerdir":
			o.lowers, err = parseLowers(value)
			if err != nil {
				return overlayLayers{}, err
			}
		case "lowerdir+":
			o.lowers = append(o.lowers, lowerLayer{path: value})
		case "datadir+":
			o.lowers = append(o.lowers, lowerLayer{path: value, dataOnly: true})
		case "upperdir":
			o.upper = unescape(value)
		case "workdir":
			o.work = unescape(value)
		default:
			// The kernel would read two options, or take a comma of ours away.
			if strings.ContainsAny(opt, `,\`) {
				return overlayLayers{}, fmt.Errorf("%w: comma or backslash in %q", ErrMountOption, opt)
			}
			o.data = append(o.data, opt)
		}
	}
	return o, o.check()
}

// parseLowers parses lowerdir=a:b::c, where a colon separates layers, two
// begin the data-only layers, and a backslash takes the meaning from a colon.
func parseLowers(value string) ([]lowerLayer, error) {
	var out []lowerLayer
	dataOnly := false
	for {
		n := layerEnd(value)
		if n == 0 {
			return nil, fmt.Errorf("%w: empty layer in lowerdir", ErrMountOption)
		}
		out = append(out, lowerLayer{unescape(value[:n]), dataOnly})
		if n == len(value) {
			return out, nil
		}
		value = value[n+1:]
		if strings.HasPrefix(value, ":") {
			value = value[1:]
			dataOnly = true
		} else if dataOnly {
			return nil, fmt.Errorf("%w: layer after the data-only ones in lowerdir", ErrMountOption)
		}
	}
}

// layerEnd is where the first layer of value ends: at a colon that is not
// escaped, or at the end.
func layerEnd(value string) int {
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '\\':
			i++
		case ':':
			return i
		}
	}
	return len(value)
}

// unescape takes away the backslashes of overlayfs.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func (o overlayLayers) check() error {
	if len(o.lowers) == 0 {
		return fmt.Errorf("%w: overlay without lowerdir", ErrMountOption)
	}
	if (o.upper == "") != (o.work == "") {
		return fmt.Errorf("%w: overlay with only one of upperdir and workdir", ErrMountOption)
	}
	for _, dir := range o.dirs() {
		if !filepath.IsAbs(dir) || strings.ContainsRune(dir, 0) {
			return fmt.Errorf("%w: layer %q is not an absolute path", ErrMountOption, dir)
		}
	}
	return nil
}

// dirs are all directories: the lowers, then upper and work if there are any.
func (o overlayLayers) dirs() []string {
	out := make([]string, 0, len(o.lowers)+2)
	for _, l := range o.lowers {
		out = append(out, l.path)
	}
	if o.upper != "" {
		out = append(out, o.upper, o.work)
	}
	return out
}

// option is the option string for overlayfs, with names, one for each of dirs,
// instead of the layers' paths. Names must need no escaping.
func (o overlayLayers) option(names []string) string {
	var b strings.Builder
	for _, opt := range o.data {
		b.WriteString(opt)
		b.WriteByte(',')
	}
	b.WriteString("lowerdir=")
	for i, l := range o.lowers {
		switch {
		case i == 0:
		case l.dataOnly:
			b.WriteString("::")
		default:
			b.WriteByte(':')
		}
		b.WriteString(names[i])
	}
	if o.upper != "" {
		n := len(o.lowers)
		b.WriteString(",upperdir=" + names[n] + ",workdir=" + names[n+1])
	}
	return b.String()
}

// commonDir is the deepest directory that all of dirs, which are absolute, lie
// below or are.
func commonDir(dirs []string) string {
	common := filepath.Clean(dirs[0])
	for _, dir := range dirs[1:] {
		for !below(filepath.Clean(dir), common) {
			common = filepath.Dir(common)
		}
	}
	return common
}

// below tells whether path is dir or lies below it; both are clean.
func below(path, dir string) bool {
	return dir == "/" || path == dir || strings.HasPrefix(path, dir) && path[len(dir)] == '/'
}
