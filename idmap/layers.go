package idmap

import (
	"strconv"
	"strings"
)

// Layers are the directories of the host that a root file system mount is made of,
// as its options name them: those of an overlay, the lower ones first, or the source
// of a bind. What cannot be mounted as a root file system has none.
func (m Mount) Layers() ([]string, error) {
	switch m.Type {
	case "bind":
		return []string{m.Source}, nil
	case "overlay":
		o, err := parseOptions(m.Options)
		if err != nil {
			return nil, err
		}
		layers, err := parseOverlay(o.data)
		if err != nil {
			return nil, err
		}
		return layers.dirs(), nil
	}
	return nil, nil
}

// ShownLayers reads the directories of an overlay from the options that mountinfo
// shows of it. They are names as whoever mounted it gave them: relative ones are
// relative to a working directory of then.
func ShownLayers(options string) (lowers []string, upper, work string, err error) {
	for opt := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(opt, "=")
		value = unquote(value)
		switch key {
		case "lowerdir":
			layers, err := parseLowers(value)
			if err != nil {
				return nil, "", "", err
			}
			for _, l := range layers {
				lowers = append(lowers, l.path)
			}
		case "lowerdir+", "datadir+":
			lowers = append(lowers, value)
		case "upperdir":
			upper = unescape(value)
		case "workdir":
			work = unescape(value)
		}
	}
	return lowers, upper, work, nil
}

// unquote undoes the octal escapes of proc_pid_mountinfo(5).
func unquote(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
