package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// restricted asks for files and sockets that make whoever has them root of the host.
var restricted = scene{
	title:    "Some paths are not for containers, whatever they are called",
	promises: "P06 P07",
	meaning:  "What counts is what is opened: the files of the host's passwords by their directory and by a link, and the socket of containerd under another name:",
	before:   disguise,
	script: `
ctr run --rm --runtime {runtime} \
    --mount type=bind,src=/etc,dst=/mnt,options=rbind:ro \
    {image} c grep -c . /mnt/shadow
ctr run --rm --runtime {runtime} \
    --mount type=bind,src={dir}/notes,dst=/mnt,options=bind:ro \
    {image} c grep -c . /mnt
ctr run --rm --runtime {runtime} \
    --mount type=bind,src={dir}/socket,dst=/mnt,options=bind \
    {image} c stat -c %F /mnt
`,
	judge: judgeRestricted,
}

// disguise makes the links of the scene.
func disguise(b *bed) error {
	var err error
	for name, target := range map[string]string{"notes": "/etc/shadow", "socket": strings.TrimPrefix(b.Address, "unix://")} {
		link := filepath.Join(b.dir, name)
		if lerr := os.Symlink(target, link); !errors.Is(lerr, os.ErrExist) {
			err = errors.Join(err, lerr)
		}
	}
	return err
}

func judgeRestricted(runc, eci turn) verdict {
	dir, link, socket := refusal(eci.out[0]), refusal(eci.out[1]), refusal(eci.out[2])
	v := verdict{quote: orElse(link, eci.out[1].text)}
	v.rows = []row{
		expect("/etc, with shadow", lineCount(runc.out[0]), answer(eci.out[0], lineCount),
			strings.Contains(dir, "restricted host mount"), "refused as a restricted host mount"),
		expect("a link to it", lineCount(runc.out[1]), answer(eci.out[1], lineCount),
			strings.Contains(link, "restricted host mount"), "refused as a restricted host mount"),
		expect("an engine's socket", firstLine(runc.out[2]), answer(eci.out[2], firstLine),
			strings.Contains(socket, "socket mount denied"), "refused as an engine's socket"),
	}
	return v
}

func lineCount(o output) string {
	if o.code != 0 {
		return o.line(0)
	}
	return "reads " + o.line(0) + " lines"
}

func firstLine(o output) string { return o.line(0) }
