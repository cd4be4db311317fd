package pseudofs

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// container is a shell that is root of a user namespace, first process of a pid namespace,
// and has mount, network, IPC and UTS namespaces of its own, all but the first owned by
// that user namespace. A new procfs is mounted on dir/proc, a new sysfs on dir/sys.
type container struct {
	testing.TB
	dir string
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	mnt *os.File
}

// containerScript runs what it reads, one line at a time, and tells when it is done.
const containerScript = `mount -t proc proc "$1/proc" && mount -t sysfs sys "$1/sys" && cd "$1" || exit
while echo ready && read -r line; do eval "$line" 2>&1; done`

func newContainer(t testing.TB) *container {
	t.Helper()
	linuxtest.Root(t)
	c := &container{TB: t, dir: linuxtest.Dir(t)}
	must(t, os.Mkdir(c.dir+"/proc", 0o755))
	must(t, os.Mkdir(c.dir+"/sys", 0o755))
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: testBase, Size: 65536}}
	c.cmd = exec.Command("/bin/bash", "-c", containerScript, "bash", c.dir)
	// No Pdeathsig: it is sent when a thread ends, which OnThread lets happen.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:                 unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		UidMappings:                ids,
		GidMappings:                ids,
		GidMappingsEnableSetgroups: true,
		Credential:                 &syscall.Credential{},
	}
	var err error
	c.in, err = c.cmd.StdinPipe()
	must(t, err)
	out, err := c.cmd.StdoutPipe()
	must(t, err)
	c.cmd.Stderr = os.Stderr
	must(t, c.cmd.Start())
	c.out = bufio.NewReader(out)
	t.Cleanup(func() {
		c.in.Close()
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	})
	c.wait()
	c.mnt, err = linux.OpenNS(c.cmd.Process.Pid, "mnt")
	must(t, err)
	t.Cleanup(func() { c.mnt.Close() })
	return c
}

// wait reads what the shell prints until it is ready.
func (c *container) wait() string {
	c.Helper()
	var text strings.Builder
	for {
		line, err := c.out.ReadString('\n')
		if err != nil {
			c.Fatalf("%s%s: %v", text.String(), line, err)
		}
		if line == "ready\n" {
			return strings.TrimSuffix(text.String(), "\n")
		}
		text.WriteString(line)
	}
}

// run runs a line of shell and gives what it prints, errors included.
func (c *container) run(line string) string {
	c.Helper()
	_, err := fmt.Fprintln(c.in, line)
	must(c, err)
	return c.wait()
}

func (c *container) want(line, text string) {
	c.Helper()
	if got := c.run(line); got != text {
		c.Errorf("%s: %q, want %q", line, got, text)
	}
}

func (c *container) contains(line, text string) {
	c.Helper()
	if got := c.run(line); !strings.Contains(got, text) {
		c.Errorf("%s: %q, want …%q…", line, got, text)
	}
}

// inside calls fn on a thread in the container's mount namespace.
func (c *container) inside(fn func() error) {
	c.Helper()
	must(c, linux.OnThread(func() error {
		if err := linux.EnterMountNS(c.mnt); err != nil {
			return err
		}
		return fn()
	}))
}

// cover puts pseudo-files over the container's proc and sysfs.
func (c *container) cover(f *FS) {
	c.Helper()
	c.inside(func() error {
		for name, kind := range map[string]Kind{"proc": Proc, "sys": Sys} {
			root, err := linux.OpenPath(c.dir + "/" + name)
			if err != nil {
				return err
			}
			err = f.Cover(root, kind)
			root.Close()
			if err != nil {
				return err
			}
		}
		return nil
	})
}
