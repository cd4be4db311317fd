package sysctl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// claimDir is the opened directory. It has two kinds of links:
//
//	fs.nr_open:2000000:1 → /run/…/bundle   a claim, and who has it
//	fs.nr_open           → 1048576,1048576,2000000   the setting, see [setting]
type claimDir struct{ *os.File }

// claim is what one owner asks for.
type claim struct {
	node  string
	value int64
	owner string
	name  string // of the link
}

// same tells whether another claim is the same one, whatever its name.
func (c claim) same(o claim) bool {
	return c.node == o.node && c.value == o.value && c.owner == o.owner
}

// parseName reads the name of a claim's link.
func parseName(name string) (claim, bool) {
	parts := strings.Split(name, ":")
	if len(parts) != 3 {
		return claim{}, false
	}
	value, err := strconv.ParseInt(parts[1], 10, 64)
	_, known := Nodes[parts[0]]
	return claim{node: parts[0], value: value, name: name}, known && err == nil
}

// claims reads all claims. Names that are none claim nothing.
func (d claimDir) claims() ([]claim, error) {
	if _, err := d.Seek(0, 0); err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var out []claim
	for _, name := range names {
		c, ok := parseName(name)
		if !ok {
			continue
		}
		c.owner, err = linux.ReadLink(d.File, name)
		if errors.Is(err, unix.EINVAL) {
			continue // no link: not ours
		}
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// add makes the link of a claim.
func (d claimDir) add(c claim, others []claim) (name string, err error) {
	for n := 1; ; n++ {
		name = fmt.Sprintf("%s:%d:%d", c.node, c.value, n)
		err = linux.Symlink(c.owner, d.File, name)
		if !errors.Is(err, fs.ErrExist) || n > len(others)+1 {
			return name, err
		}
	}
}

// setting is what is known of the host's value while it is raised.
type setting struct {
	// original is what the value was, and will be.
	original int64
	// before and after are the values around the last change, which was written down
	// before it was made. If the host has another one, somebody else has set it.
	before, after int64
}

func (s setting) String() string { return fmt.Sprintf("%d,%d,%d", s.original, s.before, s.after) }

func parseSetting(text string) (setting, error) {
	var s setting
	parts := strings.Split(text, ",")
	if len(parts) != 3 {
		return s, fmt.Errorf("%w: %q", errSetting, text)
	}
	for i, p := range []*int64{&s.original, &s.before, &s.after} {
		v, err := strconv.ParseInt(parts[i], 10, 64)
		if err != nil {
			return setting{}, fmt.Errorf("%w: %q", errSetting, text)
		}
		*p = v
	}
	return s, nil
}

var errSetting = errors.New("record of a setting is damaged")

// setting reads the record of a node; fs.ErrNotExist: it is not raised.
func (d claimDir) setting(node string) (setting, error) {
	text, err := linux.ReadLink(d.File, node)
	if err != nil {
		return setting{}, err
	}
	return parseSetting(text)
}

// record writes the record of a node, at once.
func (d claimDir) record(node string, s setting) error {
	const next = "next"
	if err := linux.Unlink(d.File, next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := linux.Symlink(s.String(), d.File, next); err != nil {
		return err
	}
	return os.Rename(d.Name()+"/"+next, d.Name()+"/"+node)
}
