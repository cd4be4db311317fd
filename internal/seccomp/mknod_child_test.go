package seccomp

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

func init() {
	children["mknod"] = childMknod
	children["mknod-one"] = childMknodOne
	children["mknod-race"] = childMknodRace
}

const (
	chr = unix.S_IFCHR
	blk = unix.S_IFBLK
)

// mknodErrno makes a node, "" for success.
func mknodErrno(path string, mode uint32, major, minor uint32) string {
	if err := unix.Mknod(path, mode, int(unix.Mkdev(major, minor))); err != nil {
		return unix.ErrnoName(err.(unix.Errno))
	}
	return ""
}

// describe is what a node is: "type major:minor mode uid:gid".
func describe(path string) string {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return err.Error()
	}
	kind := map[uint32]string{chr: "c", blk: "b", unix.S_IFIFO: "p"}[st.Mode&unix.S_IFMT]
	return fmt.Sprintf("%s %d:%d %o %d:%d", kind, unix.Major(st.Rdev), unix.Minor(st.Rdev), st.Mode&0o7777, st.Uid, st.Gid)
}

// childMknodOne makes one node, args[0], under the filter that it has or installs.
func childMknodOne(args []string) error {
	if os.Getenv("FILTERED") == "" {
		if err := filtered("mknod", "mknodat"); err != nil {
			return err
		}
	}
	unix.Umask(0o027)
	if err := unix.Mknod(args[0], chr|0o666, int(unix.Mkdev(1, 3))); err != nil {
		return err
	}
	fmt.Println(describe(args[0]))
	return nil
}

// somebody makes a node as another user of the container, or in a user namespace of its own:
// "" and what it is, or why not.
func somebody(path string, attr *syscall.SysProcAttr) string {
	cmd := exec.Command("/proc/self/exe", path)
	cmd.Env = append(os.Environ(), "LINUXTEST_CHILD=mknod-one", "FILTERED=1")
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "error: " + cmp.Or(text, err.Error())
	}
	return text
}

// childMknod does in the tree args[0] what containers do, and prints what is not as it should
// be.
func childMknod(args []string) error {
	root := args[0]
	for fstype, at := range map[string]string{"tmpfs": root + "/tmp", "proc": "/proc"} {
		if err := unix.Mount(fstype, at, fstype, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", fstype, err)
		}
	}
	if err := filtered("mknod", "mknodat"); err != nil {
		return fmt.Errorf("install the filter: %w", err)
	}
	unix.Umask(0o022)
	check := func(what, got, want string) {
		if got != want {
			fmt.Printf("%s: %q, not %q\n", what, got, want)
		}
	}
	for _, tt := range []struct {
		name         string
		mode         uint32
		major, minor uint32
		want, is     string
	}{
		{"null", chr | 0o666, 1, 3, "", "c 1:3 644 0:0"},
		{"null", chr | 0o666, 1, 3, "EEXIST", "c 1:3 644 0:0"},
		{"dir/fuse", chr | 0o600, 10, 229, "", "c 10:229 600 0:0"},
		{"dir/loop", blk | 0o660, 7, 0, "", "b 7:0 640 0:0"},
		{"dir/suid", chr | 0o4755, 1, 5, "", "c 1:5 4755 0:0"},
		{"dir//twice", chr | 0o600, 1, 3, "", "c 1:3 600 0:0"},
		{"dir/./dot", chr | 0o600, 1, 3, "", "c 1:3 600 0:0"},
		{"dir/../up", chr | 0o600, 1, 3, "", "c 1:3 600 0:0"},
		{"link/linked", chr | 0o600, 1, 3, "", "c 1:3 600 0:0"},
		{"absolute/linked2", chr | 0o600, 1, 3, "", "c 1:3 600 0:0"},
		// not in the list
		{"dir/mem", chr | 0o600, 1, 1, "EPERM", ""},
		{"dir/sda", blk | 0o600, 8, 0, "EPERM", ""},
		{"dir/null-block", blk | 0o600, 1, 3, "EPERM", ""},
		{"dir/loop-char", chr | 0o600, 7, 0, "EPERM", ""},
		// answered by the kernel
		{"dir/fifo", unix.S_IFIFO | 0o600, 0, 0, "", "p 0:0 600 0:0"},
		{"dangling", chr | 0o600, 1, 3, "EEXIST", ""},
		{"dir", chr | 0o600, 1, 3, "EEXIST", ""},
		{"dir/.", chr | 0o600, 1, 3, "EEXIST", ""},
		{"dir/..", chr | 0o600, 1, 3, "EEXIST", ""},
		{"new/", chr | 0o600, 1, 3, "ENOENT", ""},
		{"missing/null", chr | 0o600, 1, 3, "ENOENT", ""},
		{"file/null", chr | 0o600, 1, 3, "ENOTDIR", ""},
		{"ro/null", chr | 0o600, 1, 3, "EROFS", ""},
		{strings.Repeat("x", 256), chr | 0o600, 1, 3, "ENAMETOOLONG", ""},
		{strings.Repeat("x/", 2048), chr | 0o600, 1, 3, "ENAMETOOLONG", ""},
		// not the container's own
		{"vol/null", chr | 0o600, 1, 3, "EPERM", ""},
		{"to-volume/null", chr | 0o600, 1, 3, "EPERM", ""},
		{"dir/../vol/null", chr | 0o600, 1, 3, "EPERM", ""},
		{"tmp/null", chr | 0o600, 1, 3, "EPERM", ""},
		// owners
		{"daemon/null", chr | 0o600, 1, 3, "", "c 1:3 600 0:0"},
		{"home/src/null", chr | 0o600, 1, 3, "", "c 1:3 600 0:0"},
		{"home/src/chroot/null", chr | 0o600, 1, 3, "", "c 1:3 600 0:0"},
		{"home/src/../../dir/null2", chr | 0o600, 1, 3, "", "c 1:3 600 0:0"},
		{"home/link/linked", chr | 0o600, 1, 3, "EPERM", ""}, // a link behind a closed door
		{"home/escape/null", chr | 0o600, 1, 3, "EACCES", ""},
		{"setgid/null", chr | 0o600, 1, 3, "", "c 1:3 600 0:1001"},
		{"setgid/setgid", chr | 0o2770, 1, 3, "", "c 1:3 2750 0:1001"},
		{"foreign/null", chr | 0o600, 1, 3, "EACCES", ""},
		{"foreign-open/null", chr | 0o600, 1, 3, "", "c 1:3 600 0:0"},
		{"foreign-closed/null", chr | 0o600, 1, 3, "EACCES", ""},
		{"foreign-closed/dir/null", chr | 0o600, 1, 3, "EACCES", ""},
		{"foreign-closed/../dir/null", chr | 0o600, 1, 3, "EACCES", ""},
	} {
		path := root + "/" + tt.name
		check(tt.name[:min(len(tt.name), 40)], mknodErrno(path, tt.mode, tt.major, tt.minor), tt.want)
		if tt.is != "" {
			check(tt.name, describe(path), tt.is)
		}
	}
	if err := os.WriteFile(root+"/null", []byte("something"), 0); err != nil {
		fmt.Println("write to null:", err)
	}
	if err := unix.Mknod(root+"/dir/bad", chr, -1); !errors.Is(err, unix.EPERM) {
		fmt.Println("all bits of a number:", err)
	}
	// The libraries make one call of both; perl makes what it is told.
	perl, err := exec.LookPath("perl")
	if nr, ok := numberOf("mknod"); ok && err == nil && runtime.GOARCH == "amd64" {
		const program = `exit(syscall($ARGV[0]+0, $ARGV[1], 020600, 0x103) < 0 ? $!+0 : 0)`
		for _, tt := range []struct{ name, want string }{{"dir/raw", ""}, {"vol/raw", "exit status 1"}} {
			got := ""
			if err := exec.Command(perl, "-e", program, fmt.Sprint(nr), root+"/"+tt.name).Run(); err != nil {
				got = err.Error()
			}
			check("mknod, "+tt.name, got, tt.want)
		}
	}
	for _, step := range []func(string, func(string, string, string)) error{mknodRelative, mknodAs, mknodChroot} {
		if err := step(root, check); err != nil {
			return err
		}
	}
	return nil
}

// mknodRelative is about paths from a descriptor and from the working directory.
func mknodRelative(root string, check func(what, got, want string)) error {
	dir, err := os.Open(root + "/dir")
	if err != nil {
		return err
	}
	defer dir.Close()
	vol, err := os.Open(root + "/vol")
	if err != nil {
		return err
	}
	defer vol.Close()
	file, err := os.Open(root + "/file")
	if err != nil {
		return err
	}
	defer file.Close()
	if err := unix.Chdir(root + "/open"); err != nil {
		return err
	}
	for _, tt := range []struct {
		dir        int
		path, want string
	}{
		{int(dir.Fd()), "at", ""},
		{int(dir.Fd()), "../open/at", ""},
		{int(dir.Fd()), "at", "EEXIST"},
		{int(dir.Fd()), root + "/absolute-at", ""},
		{int(vol.Fd()), "at", "EPERM"},
		{int(vol.Fd()), "../up-at", ""},
		{int(file.Fd()), "at", "ENOTDIR"},
		{1 << 20, "at", "EBADF"},
		{-1, "at", "EBADF"},
		{int(dir.Fd()), "", "ENOENT"},
		{unix.AT_FDCWD, "cwd", ""},
		{unix.AT_FDCWD, "../dir/cwd", ""},
		{unix.AT_FDCWD, "/proc/self/fd/" + fmt.Sprint(dir.Fd()) + "/magic", "EPERM"},
		{unix.AT_FDCWD, "/proc/self/fd/" + fmt.Sprint(vol.Fd()) + "/magic", "EPERM"},
		{unix.AT_FDCWD, "/proc/1/root" + root + "/magic", "EPERM"},
	} {
		got := ""
		if err := unix.Mknodat(tt.dir, tt.path, chr|0o600, int(unix.Mkdev(1, 3))); err != nil {
			got = unix.ErrnoName(err.(unix.Errno))
		}
		check(fmt.Sprintf("at %d %s", tt.dir, tt.path), got, tt.want)
	}
	return unix.Chdir("/")
}

// mknodAs is about who may.
func mknodAs(root string, check func(what, got, want string)) error {
	user := func(groups ...uint32) *syscall.SysProcAttr {
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000, Groups: groups}}
	}
	with := func(attr *syscall.SysProcAttr, caps ...uintptr) *syscall.SysProcAttr {
		attr.AmbientCaps = caps
		return attr
	}
	nested := func() *syscall.SysProcAttr {
		ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 65536}}
		return &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
		}
	}
	for _, tt := range []struct {
		what, path string
		attr       *syscall.SysProcAttr
		want       string
	}{
		{"root", "dir/as-root", nil, "c 1:3 640 0:0"},
		{"a user", "open/as-user", user(), "error: operation not permitted"},
		{"a user with CAP_MKNOD", "open/as-maker", with(user(), unix.CAP_MKNOD), "c 1:3 640 1000:1000"},
		{"a user with CAP_MKNOD, where it may not write", "dir/as-maker", with(user(), unix.CAP_MKNOD), "error: permission denied"},
		{"a user with CAP_DAC_OVERRIDE, too", "dir/as-maker", with(user(), unix.CAP_MKNOD, unix.CAP_DAC_OVERRIDE), "c 1:3 640 1000:1000"},
		{"that user in a directory of nobody's", "foreign/as-maker", with(user(), unix.CAP_MKNOD, unix.CAP_DAC_OVERRIDE), "error: permission denied"},
		{"a user with all other capabilities", "open/as-other", with(user(), unix.CAP_SYS_ADMIN, unix.CAP_DAC_OVERRIDE, unix.CAP_SETUID), "error: operation not permitted"},
		{"a user at home", "home/src/as-user", with(user(), unix.CAP_MKNOD), "c 1:3 640 1000:1000"},
		{"root of a nested user namespace", "dir/as-nested", nested(), "error: operation not permitted"},
	} {
		check(tt.what, somebody(root+"/"+tt.path, tt.attr), tt.want)
	}
	return nil
}

// mknodChroot is about callers that have changed their root directory.
func mknodChroot(root string, check func(what, got, want string)) error {
	if err := unix.Chroot(root + "/dir"); err != nil {
		return err
	}
	check("from outside of a changed root", mknodErrno("null", chr, 1, 3), "EACCES") // the host's, still
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	check("in a changed root", mknodErrno("/inside", chr|0o600, 1, 3), "")
	check("above a changed root", mknodErrno("/../../above", chr|0o600, 1, 3), "")
	check("above a changed root", describe("/above"), "c 1:3 600 0:0")
	check("behind a changed root", mknodErrno(root+"/null", chr|0o600, 1, 3), "ENOENT")
	return nil
}
