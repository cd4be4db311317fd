package idmap

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestParseOverlay(t *testing.T) {
	for _, tc := range []struct {
		data []string
		want string
	}{
		{[]string{"lowerdir=/a"}, "lowers [{/a false}] upper , data []"},
		{[]string{"lowerdir=/a:/b", "upperdir=/u", "workdir=/w"}, "lowers [{/a false} {/b false}] upper /u,/w data []"},
		{[]string{"index=off", "lowerdir=/a", "metacopy=on", "volatile"}, "lowers [{/a false}] upper , data [index=off metacopy=on volatile]"},
		{[]string{"lowerdir=/a:/b::/c::/d"}, "lowers [{/a false} {/b false} {/c true} {/d true}] upper , data []"},
		{[]string{`lowerdir=/a\:b:/c\\d:/e\,f`}, `lowers [{/a:b false} {/c\d false} {/e,f false}] upper , data []`},
		{[]string{"lowerdir+=/a:x", "lowerdir+=/b", "datadir+=/c"}, "lowers [{/a:x false} {/b false} {/c true}] upper , data []"},
		{[]string{"lowerdir=/a", "lowerdir=/b"}, "lowers [{/b false}] upper , data []"},
	} {
		o, err := parseOverlay(tc.data)
		if got := fmt.Sprintf("lowers %v upper %s,%s data %v", o.lowers, o.upper, o.work, o.data); err != nil || got != tc.want {
			t.Errorf("%v: %s, %v; want %s", tc.data, got, err, tc.want)
		}
	}
	for _, data := range [][]string{
		nil,
		{"lowerdir="},
		{"lowerdir=/a:"},
		{"lowerdir=:/a"},
		{"lowerdir=/a:::/b"},
		{"lowerdir=/a::/b:/c"},
		{"lowerdir=/a::"},
		{"lowerdir=a"},
		{"lowerdir=/a", "upperdir=/u"},
		{"lowerdir=/a", "workdir=/w"},
		{"lowerdir=/a", "upperdir=u", "workdir=/w"},
		{"lowerdir=/a", "index=off,upperdir=/evil"},
		{"lowerdir=/a\x00b"},
		{"upperdir=/u", "workdir=/w"},
	} {
		if o, err := parseOverlay(data); !errors.Is(err, ErrMountOption) {
			t.Errorf("%v: %+v, %v", data, o, err)
		}
	}
}

func TestOverlayOption(t *testing.T) {
	o, err := parseOverlay([]string{"index=off", "lowerdir=/a:/b::/c", "upperdir=/u", "workdir=/w", "xino=on"})
	if err != nil {
		t.Fatal(err)
	}
	const want = "index=off,xino=on,lowerdir=0:1::2,upperdir=3/fs,workdir=3/work"
	if got := o.option([]string{"0", "1", "2", "3/fs", "3/work"}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestCommonDir(t *testing.T) {
	for _, tc := range []struct {
		dirs []string
		want string
	}{
		{[]string{"/a/b"}, "/a/b"},
		{[]string{"/a/b/1/fs", "/a/b/2/fs", "/a/b/3/work"}, "/a/b"},
		{[]string{"/a/b", "/a/bc"}, "/a"},
		{[]string{"/a/b", "/a/b/c"}, "/a/b"},
		{[]string{"/a/b/c", "/a/b"}, "/a/b"},
		{[]string{"/a", "/b"}, "/"},
		{[]string{"/", "/b"}, "/"},
		{[]string{"/a/b/../c/d", "/a/c//e/"}, "/a/c"},
	} {
		if got := commonDir(tc.dirs); got != tc.want {
			t.Errorf("%v: %s, want %s", tc.dirs, got, tc.want)
		}
	}
}

// FuzzParseOverlay: what is accepted has absolute layers, and the option string
// made of it has exactly the names that it was given.
func FuzzParseOverlay(f *testing.F) {
	f.Add("/a:/b::/c", "/u", "/w", "index=off")
	f.Add(`/a\:b`, "", "", "x,upperdir=/y")
	f.Add("/a:::b", "/", "/", "")
	f.Fuzz(func(t *testing.T, lower, upper, work, other string) {
		data := []string{"lowerdir=" + lower, other}
		if upper != "" || work != "" {
			data = append(data, "upperdir="+upper, "workdir="+work)
		}
		o, err := parseOverlay(data)
		if err != nil {
			if !errors.Is(err, ErrMountOption) {
				t.Errorf("%q: %v", data, err)
			}
			return
		}
		names := []string{}
		for i, dir := range o.dirs() {
			if !strings.HasPrefix(dir, "/") {
				t.Errorf("%q: layer %q", data, dir)
			}
			names = append(names, strconv.Itoa(i))
		}
		common := commonDir(o.dirs())
		if !strings.HasPrefix(common, "/") {
			t.Errorf("%q: common directory %q", data, common)
		}
		var layers []string
		for opt := range strings.SplitSeq(o.option(names), ",") {
			key, value, _ := strings.Cut(opt, "=")
			switch key {
			case "lowerdir", "upperdir", "workdir":
				layers = append(layers, strings.FieldsFunc(value, func(r rune) bool { return r == ':' })...)
			}
		}
		if !slices.Equal(layers, names) {
			t.Errorf("%q: %s", data, o.option(names))
		}
	})
}
