package seccomp

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

func init() { children["script"] = childScript }

// script runs lines in a box, without the agent or with it, and gives the results of those
// that have one, each as "line = result".
func (b *box) script(agent bool, lines ...string) string {
	b.t.Helper()
	return b.scriptAs("", agent, lines...)
}

func (b *box) scriptAs(exe string, agent bool, lines ...string) string {
	b.t.Helper()
	if agent {
		lines = slices.Insert(slices.Clone(lines), 0, "agent")
	}
	return b.startAs(exe, "script", lines...).all(b.t)
}

// childScript does one line after the other.
func childScript(lines []string) error {
	for _, line := range lines {
		words := strings.Fields(line)
		do, ok := verbs[words[0]]
		if !ok {
			return fmt.Errorf("no verb %q", words[0])
		}
		for i, w := range words[1:] {
			switch w {
			case "-":
				words[i+1] = ""
			case "@long":
				words[i+1] = strings.Repeat("x/", 2047) + "x"
			case "@longer":
				words[i+1] = strings.Repeat("x/", 2048)
			}
		}
		result, err := do(append(words[1:], make([]string, 8)...))
		switch {
		case err != nil:
			var errno unix.Errno
			if !errors.As(err, &errno) {
				return fmt.Errorf("%s: %w", line, err)
			}
			result = unix.ErrnoName(errno)
		case result == "":
			continue
		}
		fmt.Println(line, "=", result)
	}
	return nil
}

// mountFlags are the names of flags.
var mountFlags = map[string]uintptr{
	"bind": unix.MS_BIND, "rbind": unix.MS_BIND | unix.MS_REC, "move": unix.MS_MOVE, "remount": unix.MS_REMOUNT,
	"ro": unix.MS_RDONLY, "nosuid": unix.MS_NOSUID, "nodev": unix.MS_NODEV, "noexec": unix.MS_NOEXEC,
	"noatime": unix.MS_NOATIME, "private": unix.MS_PRIVATE, "shared": unix.MS_SHARED, "rprivate": unix.MS_PRIVATE | unix.MS_REC,
	"nouser": 1 << 31, "detach": unix.MNT_DETACH, "nofollow": unix.UMOUNT_NOFOLLOW, "force": unix.MNT_FORCE,
	"expire": unix.MNT_EXPIRE, "unknown": 1 << 20, "": 0,
	"clone": unix.OPEN_TREE_CLONE, "cloexec": unix.OPEN_TREE_CLOEXEC, "recursive": unix.AT_RECURSIVE,
	"magic": unix.MS_MGC_VAL, "beneath": 0x200,
	"empty": unix.AT_EMPTY_PATH, "from-empty": unix.MOVE_MOUNT_F_EMPTY_PATH,
}

func flagsOf(names string) (flags uintptr) {
	for name := range strings.SplitSeq(names, ",") {
		f, ok := mountFlags[name]
		if !ok {
			panic(name)
		}
		flags |= f
	}
	return flags
}

// verbs are what a line can begin with.
var verbs map[string]func(w []string) (string, error)

func init() {
	verbs = map[string]func(w []string) (string, error){
		"agent": func([]string) (string, error) { return "", handOver(mountCalls...) },
		"mkdir": func(w []string) (string, error) { return "", os.MkdirAll(w[0], 0o755) },
		"file":  func(w []string) (string, error) { return "", os.WriteFile(w[0], nil, 0o644) },
		"link":  func(w []string) (string, error) { return "", os.Symlink(w[0], w[1]) },
		"rm":    func(w []string) (string, error) { return "", os.Remove(w[0]) },
		"cd":    func(w []string) (string, error) { return "", unix.Chdir(w[0]) },
		"cdfd":  func(w []string) (string, error) { return "", unix.Fchdir(num(w[0])) },
		"chroot": func(w []string) (string, error) {
			return "", unix.Chroot(w[0])
		},
		"chmod": func(w []string) (string, error) {
			mode, err := strconv.ParseUint(w[0], 8, 32)
			return "", errors.Join(err, unix.Chmod(w[1], uint32(mode)))
		},
		"caps": func(w []string) (string, error) { // what is left of them
			var caps uint64
			for c := range strings.FieldsSeq(strings.ReplaceAll(w[0], ",", " ")) {
				caps |= 1 << num(c)
			}
			return "", linux.SetEffectiveCaps(caps)
		},
		"mount": func(w []string) (string, error) {
			return done(unix.Mount(w[0], w[1], w[2], flagsOf(w[3]), w[4]))
		},
		"umount": func(w []string) (string, error) { return done(unix.Unmount(w[0], int(flagsOf(w[1])))) },
		"fsopen": func(w []string) (string, error) {
			fd, err := unix.Fsopen(w[0], 0)
			if err == nil {
				err = unix.Close(fd)
			}
			return done(err)
		},
		"open": func(w []string) (string, error) { // number, path
			fd, err := unix.Open(w[1], unix.O_PATH, 0)
			return "", renumber(fd, w[0], err)
		},
		"tree": func(w []string) (string, error) { // number, directory, path, flags
			fd, err := unix.OpenTree(num(w[1]), w[2], uint(flagsOf(w[3])))
			if err == nil && fd == 0 {
				return "descriptor 0", nil
			}
			if err := renumber(fd, w[0], err); err != nil {
				return "", err
			}
			return "done", nil
		},
		"movefd": func(w []string) (string, error) { // directory, path, to, flags
			return done(unix.MoveMount(num(w[0]), w[1], unix.AT_FDCWD, w[2], int(flagsOf(w[3]))))
		},
		"umount1": func(w []string) (string, error) { // without flags, where there is such a call
			path, err := unix.ByteSliceFromString(w[0])
			nr, ok := numberOf("umount")
			if err != nil || !ok {
				return "none", err
			}
			_, _, errno := unix.Syscall(uintptr(nr), addressOf(path), 0, 0)
			runtime.KeepAlive(path)
			if errno != 0 {
				return "", errno
			}
			return "done", nil
		},
		"secret": secret,
		"setattr": func(w []string) (string, error) { // takes away that it is read-only
			return done(unix.MountSetattr(unix.AT_FDCWD, w[0], 0, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}))
		},
		"close": func(w []string) (string, error) { return "", unix.Close(num(w[0])) },
		"cat": func(w []string) (string, error) {
			data, err := os.ReadFile(w[0])
			line, _, _ := strings.Cut(string(data), "\n")
			return strings.TrimSpace(line), err
		},
		"shows": func(w []string) (string, error) { // whether there is a pseudo-file
			data, err := os.ReadFile(w[0])
			if err == nil && string(data) == "pseudo\n" {
				return "pseudo", nil
			}
			return "kernel", err
		},
		"write":  func(w []string) (string, error) { return done(os.WriteFile(w[0], []byte("pseudo\n"), 0)) },
		"exists": func(w []string) (string, error) { _, err := os.Stat(w[0]); return done(err) },
		"pid":    func(w []string) (string, error) { return os.Readlink(w[0] + "/self") },
		"pids": func(w []string) (string, error) { // processes that a proc shows
			entries, err := os.ReadDir(w[0])
			n := 0
			for _, e := range entries {
				if _, err := strconv.Atoi(e.Name()); err == nil {
					n++
				}
			}
			return strconv.Itoa(n), err
		},
		"options": optionsOf,
		"below":   below,
		"limit": func(w []string) (string, error) { // of descriptors
			n := uint64(num(w[0]))
			return "", unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: n}, nil)
		},
		"nested": nested,
	}
}

func done(err error) (string, error) { return "done", err }

func num(text string) int {
	if text == "cwd" {
		return unix.AT_FDCWD
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}

// renumber makes a descriptor the one of a number.
func renumber(fd int, to string, err error) error {
	if err != nil || fd == num(to) {
		return err
	}
	return errors.Join(unix.Dup3(fd, num(to), 0), unix.Close(fd))
}

// optionsOf are type and options of the topmost mount at a path, and its source.
func optionsOf(w []string) (string, error) {
	at, err := linux.OpenPath(w[0])
	if err != nil {
		return "", err
	}
	defer at.Close()
	m, err := linux.MountOf(at)
	if err != nil || !m.Root {
		return "no mount", err
	}
	f, err := os.Open("/proc/thread-self/mountinfo")
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		fields, rest := strings.Fields(before), strings.Fields(after)
		if fields[0] == strconv.FormatUint(m.ID, 10) {
			return strings.Join([]string{rest[0], rest[1], fields[5], rest[2]}, " "), nil
		}
	}
	return "unseen", lines.Err()
}

// below counts the mounts at a path and below it.
func below(w []string) (string, error) {
	data, err := os.ReadFile("/proc/thread-self/mountinfo")
	path, abs := w[0], w[0]
	if cwd, err := os.Getwd(); err == nil && !strings.HasPrefix(path, "/") {
		abs = cwd + "/" + path
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); f[4] == abs || strings.HasPrefix(f[4], abs+"/") {
			n++
		}
	}
	return strconv.Itoa(n), err
}

// nested runs the rest of a script, whose lines are separated by ";" and whose words by "_", in
// a user namespace and those of its first word below these.
func nested(w []string) (string, error) {
	flags := uintptr(unix.CLONE_NEWUSER)
	for _, kind := range w[0] {
		flags |= map[rune]uintptr{'m': unix.CLONE_NEWNS, 'p': unix.CLONE_NEWPID, 'n': unix.CLONE_NEWNET}[kind]
	}
	lines := strings.Split(strings.ReplaceAll(w[1], "_", " "), ";")
	cmd := exec.Command("/proc/self/exe", lines...)
	cmd.Env = append(os.Environ(), "LINUXTEST_CHILD=script")
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: flags, UidMappings: ids, GidMappings: ids,
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	var results []string
	for line := range strings.Lines(string(out)) {
		_, result, _ := strings.Cut(strings.TrimSpace(line), " = ")
		results = append(results, result)
	}
	return strings.Join(results, ", "), nil
}

// scriptTest is a script with its results.
type scriptTest struct {
	name   string
	script string // lines; what follows " = " is the result
}

// run compares. A script without any result is run without the agent first, and must have the
// same results with it.
func (tt scriptTest) run(t *testing.T, b *box) {
	t.Helper()
	tt.runAs(t, b, "")
}

func (tt scriptTest) runAs(t *testing.T, b *box, exe string) {
	t.Helper()
	var lines, want []string
	for line := range strings.Lines(tt.script) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		command, _, found := strings.Cut(line, " = ")
		lines = append(lines, command)
		if found {
			want = append(want, line)
		}
	}
	if want == nil {
		want = strings.Split(b.script(false, lines...), "\n")
		if entries, err := os.ReadDir(b.dir); err == nil {
			for _, e := range entries {
				must(t, os.RemoveAll(b.dir+"/"+e.Name()))
			}
		}
	}
	if got := b.scriptAs(exe, true, lines...); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\n\nwant\n%s", got, strings.Join(want, "\n"))
	}
}
