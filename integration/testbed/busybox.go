package testbed

import (
	"context"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Names of the images that a bed makes.
const (
	BusyboxName   = "eci.test/busybox:latest"
	Layers100Name = "eci.test/layers100:latest"
)

// busyboxPath is Debian's statically linked busybox, package busybox-static.
const busyboxPath = "/bin/busybox"

// Images builds the images of this package: the busybox image, and one of 100
// layers on top of the same base.
//
// What they contain beside busybox and the probe is there to be tested: files of
// several owners below /own, the probe as a set-uid program below /suid and with
// the capability CAP_NET_RAW below /caps, symbolic links that stay in the root
// file system (/link, /abs) or try to leave it (/esc-abs, /esc-rel), a user and
// groups, and no /mnt.
func Images(ctx context.Context) (busybox, layers100 Image, err error) {
	base, err := baseLayer(ctx)
	if err != nil {
		return busybox, layers100, err
	}
	config := ocispec.ImageConfig{Env: []string{"PATH=/bin:/sbin:/usr/bin"}, Cmd: []string{"sh"}, WorkingDir: "/"}
	busybox = Image{Name: BusyboxName, Layers: [][]byte{base}, Config: config}
	layers100 = Image{Name: Layers100Name, Layers: [][]byte{base}, Config: config}
	for i := 1; i < 100; i++ {
		layer, err := numberedLayer(i)
		if err != nil {
			return busybox, layers100, err
		}
		layers100.Layers = append(layers100.Layers, layer)
	}
	return busybox, layers100, nil
}

// numberedLayer is one of the small layers: a file of its own, one that each
// layer replaces, and in every tenth the removal of the file of the one before.
func numberedLayer(i int) ([]byte, error) {
	number := fmt.Sprint(i)
	files := []File{
		{Path: "layers", Dir: true, Mode: 0o755},
		{Path: "layers/" + number, Mode: 0o644, UID: i, Data: []byte(number)},
		{Path: "layers/last", Mode: 0o644, Data: []byte(number)},
	}
	if i%10 == 0 {
		files = append(files, File{Path: fmt.Sprintf("layers/.wh.%d", i-1), Mode: 0o644})
	}
	return Layer(files...)
}

func baseLayer(ctx context.Context) ([]byte, error) {
	busybox, applets, err := readBusybox(ctx)
	if err != nil {
		return nil, err
	}
	probe, err := BuildProbe(ctx)
	if err != nil {
		return nil, err
	}
	files := directories()
	files = append(files, File{Path: "bin/busybox", Mode: 0o755, Data: busybox}, File{Path: "probe", Mode: 0o755, Data: probe})
	for _, applet := range applets {
		if applet != "busybox" {
			files = append(files, File{Path: "bin/" + applet, Mode: 0o777, Link: "busybox"})
		}
	}
	files = append(files, specimens(probe)...)
	return Layer(files...)
}

func directories() []File {
	var files []File
	for _, name := range strings.Fields("bin sbin usr usr/bin etc dev proc sys run var var/lib home own suid caps target target/dir") {
		files = append(files, File{Path: name, Dir: true, Mode: 0o755})
	}
	return append(files,
		File{Path: "root", Dir: true, Mode: 0o700},
		File{Path: "tmp", Dir: true, Mode: 0o1777},
		File{Path: "home/user", Dir: true, Mode: 0o755, UID: 1000, GID: 1000},
	)
}

// specimens are the files that tests look at.
func specimens(probe []byte) []File {
	return []File{
		{Path: "etc/passwd", Mode: 0o644, Data: []byte("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n" +
			"nobody:x:65534:65534:nobody:/:/bin/false\nlast:x:65535:65535:last:/:/bin/sh\n")},
		{Path: "etc/group", Mode: 0o644, Data: []byte("root:x:0:\nuser:x:1000:\nwheel:x:10:user\nextra:x:2000:user\nnogroup:x:65534:\nlast:x:65535:\n")},
		{Path: "etc/hostname", Mode: 0o644, Data: []byte("image\n")},
		{Path: "etc/file", Mode: 0o640, Data: []byte("image\n")},

		{Path: "own/0", Mode: 0o644, Data: []byte("0")},
		{Path: "own/1000", Mode: 0o600, UID: 1000, GID: 1000, Data: []byte("1000")},
		{Path: "own/65535", Mode: 0o640, UID: 65535, GID: 65535, Data: []byte("65535")},
		{Path: "own/dir", Dir: true, Mode: 0o2770, UID: 1000, GID: 2000},

		{Path: "suid/root", Mode: 0o4755, Data: probe},
		{Path: "suid/user", Mode: 0o6755, UID: 1000, GID: 2000, Data: probe},
		{Path: "caps/net_raw", Mode: 0o755, Data: probe, Xattrs: map[string]string{"security.capability": fileCapability(13)}},

		{Path: "target/file", Mode: 0o644, Data: []byte("target\n")},
		{Path: "link", Mode: 0o777, Link: "/target"},
		{Path: "abs", Mode: 0o777, Link: "/target/dir"},
		{Path: "filelink", Mode: 0o777, Link: "target/file"},
		{Path: "esc-abs", Mode: 0o777, Link: "/eci-escape"},
		{Path: "esc-rel", Mode: 0o777, Link: "../../../../../../../../eci-escape"},
		{Path: "var/run", Mode: 0o777, Link: "/run"},
	}
}

// fileCapability is the value of security.capability that gives a program one
// capability, permitted and effective: struct vfs_cap_data, revision 2, of
// capabilities(7), for capability numbers below 32.
func fileCapability(number uint) string {
	const revision2, effective = 0x02000000, 1
	var data []byte
	for _, word := range []uint32{revision2 | effective, 1 << number, 0, 0, 0} {
		data = binary.LittleEndian.AppendUint32(data, word)
	}
	return string(data)
}

// readBusybox returns the program and the names of its applets.
func readBusybox(ctx context.Context) (program []byte, applets []string, err error) {
	f, err := elf.Open(busyboxPath)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: install the package busybox-static", err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return nil, nil, fmt.Errorf("%s is linked dynamically: install the package busybox-static", busyboxPath)
		}
	}
	if program, err = os.ReadFile(busyboxPath); err != nil {
		return nil, nil, err
	}
	list, err := exec.CommandContext(ctx, busyboxPath, "--list").Output()
	if err != nil {
		return nil, nil, fmt.Errorf("ask %s for its applets: %w", busyboxPath, err)
	}
	return program, strings.Fields(string(list)), nil
}

// BuildProbe compiles the probe of this project and returns the program.
func BuildProbe(ctx context.Context) ([]byte, error) {
	root, err := Checkout()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "eci-probe-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "probe")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "./integration/probe")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the probe: %w: %s", err, out)
	}
	return os.ReadFile(path)
}
