package testbed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"golang.org/x/sys/unix"
)

// deadline bounds every wait of this package. It is long, because machines that
// run tests stall; nothing waits longer than it must.
const deadline = 2 * time.Minute

// Options say how a bed is made. The zero value is a bed on the file system of
// the temporary directory, with the runtime's defaults.
type Options struct {
	Tmpfs  bool      // keep all state on a tmpfs
	Log    io.Writer // receives containerd's log; nil drops it
	Bin    string    // directory of the programs, "" for the default of FindPrograms
	IDs    IDs       // the runtime's pool of host IDs
	Config string    // more lines for the top of the runtime's configuration
	Env    []string  // more environment for containerd and its shims
	CRI    bool      // with containerd's CRI plugin, and pods without a network of the host's
	Bridge bool      // with CRI: pods on a bridge, and containerd in a network namespace of its own
}

// Daemon is a running containerd with everything that belongs to it.
type Daemon struct {
	Dir       string // everything of the bed lies here
	Name      string // unique on this machine, "eci-" and digits
	Namespace string // containerd namespace of the bed's containers
	Address   string // containerd's socket
	Programs  Programs

	opts   Options
	lock   *os.File // held while this process owns the bed
	netns  *os.File // containerd's network namespace, nil for this process's
	cmd    *exec.Cmd
	exited chan struct{} // closed when containerd has ended
	log    tail
	client *client.Client
	serial atomic.Uint64 // makes IDs unique
}

// Start makes a bed and returns when its containerd serves.
func Start(opts Options) (*Daemon, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("a test bed needs root")
	}
	programs, err := FindPrograms(opts.Bin)
	if err != nil {
		return nil, err
	}
	sweepStale()
	d, err := lay(opts)
	if err != nil {
		return nil, err
	}
	d.Programs = programs
	if err := d.makeNetwork(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if err := d.writeConfigs(opts); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if err := d.launch(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// lay makes the bed's directory. Its path is short, because the paths of sockets
// are limited to 108 bytes, and searchable, because mapped users pass through it.
func lay(opts Options) (*Daemon, error) {
	dir, err := os.MkdirTemp(tempDir(), prefix)
	if err != nil {
		return nil, err
	}
	name := filepath.Base(dir)
	d := &Daemon{Dir: dir, Name: name, Namespace: name, Address: filepath.Join(dir, "c.sock"), opts: opts}
	if err := d.layInside(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Daemon) layInside() error {
	if d.opts.Tmpfs {
		if err := unix.Mount("eci-testbed", d.Dir, "tmpfs", 0, "mode=0711"); err != nil {
			return &os.PathError{Op: "mount tmpfs", Path: d.Dir, Err: err}
		}
	}
	if err := os.Chmod(d.Dir, 0o711); err != nil {
		return err
	}
	var err error
	if d.lock, err = takeLock(d.Dir); err != nil {
		return err
	}
	for _, name := range []string{"root", "state", "tmp", "s", "fifo", "runc"} {
		if err := os.Mkdir(d.path(name), 0o711); err != nil {
			return err
		}
	}
	return nil
}

// launch starts containerd and waits until it serves.
func (d *Daemon) launch() error {
	d.cmd = exec.Command(d.Programs.Containerd, "--config", d.path("containerd.toml"))
	d.cmd.Env = d.env(d.opts.Env)
	d.cmd.Dir = d.Dir
	d.cmd.Stderr = io.Writer(&d.log)
	if d.opts.Log != nil {
		d.cmd.Stderr = io.MultiWriter(&d.log, d.opts.Log)
	}
	// A session of its own keeps the terminal's interrupt away from containerd, so
	// that Close can end it in order; should this process die, it dies too. The
	// signal comes when the *thread* ends that started it, hence the lock.
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	d.exited = make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer close(d.exited)
		err := d.enterNetwork()
		if err == nil {
			err = d.cmd.Start()
		}
		started <- err
		if err == nil {
			_ = d.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	return d.connect()
}

// Relaunch kills containerd with SIGKILL and starts it again, on the same state.
// Shims and containers live on.
func (d *Daemon) Relaunch() error {
	if err := d.client.Close(); err != nil {
		return err
	}
	if err := d.cmd.Process.Kill(); err != nil {
		return err
	}
	<-d.exited
	return d.launch()
}

// Reboot does to the bed what a reboot of the machine does: every process ends at once, and
// what lay in memory only is gone.
func (d *Daemon) Reboot() error {
	errs := []error{d.client.Close(), d.cmd.Process.Kill()}
	<-d.exited
	for range 3 { // what is killed may have been about to start more
		processes, err := d.Processes()
		errs = append(errs, err)
		for _, p := range processes {
			errs = append(errs, Kill9(p.Pid))
		}
	}
	errs = append(errs, d.unmountAll(), removeCgroups(d.Cgroup()))
	for _, name := range []string{"state", "s", "fifo", "runc", "eci", "ipam"} {
		errs = append(errs, os.RemoveAll(d.path(name)))
	}
	for _, name := range []string{"state", "s", "fifo", "runc"} {
		errs = append(errs, os.Mkdir(d.path(name), 0o711))
	}
	if d.netns != nil {
		errs = append(errs, d.netns.Close(), d.makeNetwork())
	}
	return errors.Join(append(errs, d.launch())...)
}

// connect waits for containerd's socket, then for its word that it serves.
func (d *Daemon) connect() error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	err := poll(ctx, func() (bool, error) {
		select {
		case <-d.exited:
			return false, fmt.Errorf("containerd ended: %s", d.cmd.ProcessState)
		default:
		}
		conn, err := net.Dial("unix", d.Address)
		if err != nil {
			return false, nil
		}
		return true, conn.Close()
	})
	if err == nil {
		if d.client, err = client.New(d.Address, client.WithDefaultNamespace(d.Namespace)); err == nil {
			_, err = d.client.Version(d.Context(ctx))
		}
	}
	if err != nil {
		return fmt.Errorf("start containerd: %w\n%s", err, d.log.String())
	}
	return nil
}

// Context carries the bed's containerd namespace, which every call of the client
// needs.
func (d *Daemon) Context(ctx context.Context) context.Context {
	return namespaces.WithNamespace(ctx, d.Namespace)
}

// Client is containerd's own client, connected to the bed.
func (d *Daemon) Client() *client.Client { return d.client }

// Pid is the process ID of containerd.
func (d *Daemon) Pid() int { return d.cmd.Process.Pid }

// Log returns the end of containerd's log, which has what the shims wrote too.
func (d *Daemon) Log() string { return d.log.String() }

// UniqueID returns a container ID that this bed has not used yet.
func (d *Daemon) UniqueID(stem string) string {
	return fmt.Sprintf("%s-%d", strings.ToLower(stem), d.serial.Add(1))
}

// poll calls f at growing intervals until it says true, fails, or ctx ends.
func poll(ctx context.Context, f func() (bool, error)) error {
	for wait := 2 * time.Millisecond; ; wait = min(wait*3/2, 200*time.Millisecond) {
		if ok, err := f(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}
