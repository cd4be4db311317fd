package main

import (
	"os"
	"path/filepath"
)

// readOnly tries to write to a read-only volume with the power to remount it.
var readOnly = scene{
	title:    "Read-only stays read-only",
	promises: "P08",
	meaning: "The container may mount whatever it likes, but the kernel has locked this flag: " +
		"no system call is filtered, so there is none to forget.",
	script: `
ctr run --rm --runtime {runtime} --cap-add CAP_SYS_ADMIN \
    --mount type=bind,src={dir}/ro,dst=/mnt,options=rbind:ro \
    {image} c \
    sh -c 'mount -o remount,bind,rw /mnt /mnt; echo overwritten >/mnt/file'
cat {dir}/ro/file
`,
	before: func(b *bed) error {
		dir := filepath.Join(b.dir, "ro")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "file"), []byte("untouched\n"), 0o666)
	},
	judge: judgeReadOnly,
}

func judgeReadOnly(runc, eci turn) verdict {
	mount, write := eci.out[0].reason("mount"), eci.out[0].reason("sh")
	onHost := eci.out[1].line(0)
	return verdict{rows: []row{
		expect("mount -o remount", orElse(runc.out[0].reason("mount"), "done"), orElse(mount, "done"),
			mount == "permission denied", "permission denied"),
		expect("write", orElse(runc.out[0].reason("sh"), "done"), orElse(write, "done"),
			write == "Read-only file system", "Read-only file system"),
		expect("the file on the host", runc.out[1].line(0), onHost, onHost == "untouched", "untouched"),
	}}
}
