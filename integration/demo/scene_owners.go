package main

import (
	"os"
	"path/filepath"
	"strings"
)

// owners looks at the files of a volume from both sides.
var owners = scene{
	title:    "Volumes keep their owners",
	promises: "P10",
	meaning: "For files nothing changes, although root inside is somebody else outside: the kernel " +
		"translates owners at the mount, and nothing is chowned.",
	script: `
ctr run --rm --runtime {runtime} \
    --mount type=bind,src={dir}/vol,dst=/vol,options=rbind \
    {image} c \
    sh -c 'touch /vol/new; cd /vol; stat -c "%n %u" *'
cd {dir}/vol; stat -c '%n %u' *
`,
	before: func(b *bed) error {
		dir := filepath.Join(b.dir, "vol")
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		for name, uid := range map[string]int{"of-root": 0, "of-1000": 1000} {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, nil, 0o644); err != nil {
				return err
			}
			if err := os.Chown(path, uid, uid); err != nil {
				return err
			}
		}
		return nil
	},
	judge: judgeOwners,
}

func judgeOwners(runc, eci turn) verdict {
	var v verdict
	for _, file := range []struct{ label, name, want string }{
		{"a file of root", "of-root", "0 inside, 0 outside"},
		{"a file of user 1000", "of-1000", "1000 inside, 1000 outside"},
		{"a file made inside", "new", "0 inside, 0 outside"},
	} {
		got := bothSides(eci, file.name)
		v.rows = append(v.rows, expect(file.label, bothSides(runc, file.name), got, got == file.want, file.want))
	}
	return v
}

func bothSides(t turn, name string) string {
	return owner(t.out[0], name) + " inside, " + owner(t.out[1], name) + " outside"
}

// owner finds the owner of a file in lines of "name owner".
func owner(o output, name string) string {
	for _, line := range o.lines() {
		if file, uid, _ := strings.Cut(line, " "); file == name {
			return uid
		}
	}
	return "none"
}
