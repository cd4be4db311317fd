package idmap

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMountLayers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		mount Mount
		want  []string
		fails bool
	}{
		{"bind", Mount{Type: "bind", Source: "/a", Options: []string{"ro", "rbind"}}, []string{"/a"}, false},
		{"overlay", Mount{Type: "overlay", Options: []string{"index=off", `lowerdir=/a\:b:/c`, "upperdir=/u", "workdir=/w"}}, []string{"/a:b", "/c", "/u", "/w"}, false},
		{"malformed", Mount{Type: "overlay", Options: []string{"lowerdir=a"}}, nil, true},
		{"loop", Mount{Type: "overlay", Options: []string{"loop"}}, nil, true},
		{"disk", Mount{Type: "ext4", Source: "/dev/vda"}, nil, false},
	} {
		got, err := tt.mount.Layers()
		if diff := cmp.Diff(tt.want, got); diff != "" || (err != nil) != tt.fails {
			t.Errorf("%s: %v\n%s", tt.name, err, diff)
		}
	}
}

func TestShownLayers(t *testing.T) {
	t.Parallel()
	type shown struct {
		Lowers      []string
		Upper, Work string
	}
	for options, want := range map[string]shown{
		"rw,lowerdir=/a:/b,upperdir=/u,workdir=/w,index=off":    {[]string{"/a", "/b"}, "/u", "/w"},
		`rw,lowerdir=/co\134:lon:/com\054ma:/sp\040ace::/data`:  {[]string{"/co:lon", "/com,ma", "/sp ace", "/data"}, "", ""},
		`ro,lowerdir+=/a:b,lowerdir+=/c\134d,datadir+=/e`:       {[]string{"/a:b", `/c\d`, "/e"}, "", ""},
		"rw,lowerdir=l/A:l/B,upperdir=1/diff,workdir=1/work":    {[]string{"l/A", "l/B"}, "1/diff", "1/work"},
		`rw,context="system_u:object_r:x:s0:c1,c2",lowerdir=/a`: {[]string{"/a"}, "", ""},
		"rw":                                  {},
		`rw,lowerdir=/a\13,upperdir=\134\134`: {[]string{"/a13"}, `\`, ""},
	} {
		var got shown
		var err error
		got.Lowers, got.Upper, got.Work, err = ShownLayers(options)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", options, err, diff)
		}
	}
	if _, _, _, err := ShownLayers("rw,lowerdir=/a::"); err == nil {
		t.Error("an empty layer is no error")
	}
}
