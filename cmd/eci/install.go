package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/setup"
)

// installFlags are those of eci install and eci uninstall.
type installFlags struct {
	yes, dryRun, noRestart, noCheck bool
	engines                         []string // empty: those that are there

	shim                 string // path of the runtime; empty: beside this program
	containerd           string // program; empty: the one that runs, or of PATH
	containerdConfig     string
	containerdDropIn     string
	docker, dockerConfig string // socket, file
	record               string
}

// engineNames are the engines that can be configured.
var engineNames = []string{"containerd", "docker"}

func (f *installFlags) paths(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would be changed, and change nothing")
	flags.BoolVar(&f.noRestart, "no-restart", false, "leave the daemons alone, and say what to do")
	flags.StringVar(&f.record, "record", setup.RecordPath, "where it is written down what was there before")
	flags.StringVar(&f.docker, "docker-socket", "/run/docker.sock", "socket of Docker")
}

func newInstallCommand(a *app) *cobra.Command {
	var f installFlags
	cmd := &cobra.Command{
		Use:   "install",
		Short: "make the runtime known to containerd and Docker",
		Long: `install adds the runtime to the configuration of the engines that it finds: for
containerd the handler "eci" of the CRI plugin, which a RuntimeClass of Kubernetes names,
in a file of its own in /etc/containerd/conf.d (in config.toml itself, between two marks,
for containerd 1.7, which would replace the settings beside it); for Docker the runtime
"eci" in /etc/docker/daemon.json, of which every other byte stays. ctr, nerdctl and
containerd's Go client need nothing of this.

It shows what it will change, and asks. Then it writes all of it or nothing, has systemd
restart containerd and reload Docker, and starts one container by each, made on the spot
of eci itself, whose user namespace it looks at from outside. If that is not as it should
be, everything is put back. Where there is no systemd, it says what to do.

What was there before is kept in /var/lib/eci/install.json, for eci uninstall. A second
run changes nothing, and checks again.`,
		Example: `  eci install --dry-run
  eci install --yes
  eci install --engine docker --docker-config /etc/docker/daemon.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.install(cmd.Context(), f, cmd.InOrStdin()) },
	}
	f.paths(cmd)
	flags := cmd.Flags()
	flags.StringSliceVar(&f.engines, "engine", nil, "engines to configure: containerd, docker (default: those that are there)")
	flags.BoolVar(&f.noCheck, "no-check", false, "start no container afterwards")
	flags.StringVar(&f.shim, "shim", "", "the runtime's binary (default: beside this program)")
	flags.StringVar(&f.containerd, "containerd", "", "containerd's binary (default: the one that serves the socket, or of PATH)")
	flags.StringVar(&f.containerdConfig, "containerd-config", "/etc/containerd/config.toml", "containerd's main file")
	flags.StringVar(&f.containerdDropIn, "containerd-conf-d", "", "directory of containerd's drop-in files (default: conf.d beside its main file)")
	flags.StringVar(&f.dockerConfig, "docker-config", "/etc/docker/daemon.json", "Docker's file")
	_ = cmd.RegisterFlagCompletionFunc("engine", cobra.FixedCompletions(engineNames, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// errNotDone is what a person has answered.
var errNotDone = errors.New("nothing was changed")

func (a *app) install(ctx context.Context, f installFlags, in io.Reader) error {
	i, err := a.ink()
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("install needs root: it changes the configuration of engines")
	}
	if a.json && !f.yes && !f.dryRun {
		return errors.New("--json asks nobody: say --yes or --dry-run")
	}
	unlock, err := lockRecord(f.record)
	if err != nil {
		return err
	}
	defer unlock()
	p, err := a.planInstall(ctx, f)
	if err != nil {
		return err
	}
	if a.json {
		if err := a.printJSON(p); err != nil {
			return err
		}
	} else {
		p.show(i)
	}
	if f.dryRun {
		return nil
	}
	if len(p.edits) > 0 {
		if err := a.confirm(i, f, in, "Write this?"); err != nil {
			return err
		}
		if err := setup.Apply(f.record, version, p.edits); err != nil {
			return err
		}
	}
	return a.finishInstall(ctx, i, f, p)
}

// finishInstall has the daemons read what was written, and looks whether it works. If it does
// not, what was written is taken back.
func (a *app) finishInstall(ctx context.Context, i ink, f installFlags, p *plan) error {
	err := p.verify(ctx)
	if err == nil && len(p.edits) > 0 {
		err = a.reload(ctx, i, f, p.changed())
	}
	if err == nil && !f.noCheck {
		err = a.checkInstalled(ctx, i, f, p)
	}
	if err == nil {
		p.closing(i)
		return nil
	}
	if len(p.edits) == 0 {
		return fmt.Errorf("%w; eci uninstall takes back what an earlier eci install has written", err)
	}
	if undo := setup.Undo(f.record); undo != nil {
		return fmt.Errorf("%w; and it could not be taken back: %w", err, undo)
	}
	_ = a.reload(context.WithoutCancel(ctx), i, f, p.changed())
	return fmt.Errorf("%w: everything is as it was", err)
}

// confirm asks a person. Where there is none, the answer has to be on the command line.
func (a *app) confirm(i ink, f installFlags, in io.Reader, question string) error {
	if f.yes {
		return nil
	}
	file, ok := in.(*os.File)
	if ok {
		_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
		ok = err == nil
	}
	if !ok {
		return fmt.Errorf("%w: nobody can be asked here; say --yes", errNotDone)
	}
	i.printf("%s [y/N] ", i.paint(bold, question))
	line, err := bufio.NewReader(in).ReadString('\n')
	if answer := strings.ToLower(strings.TrimSpace(line)); err != nil || answer != "y" && answer != "yes" {
		return errNotDone
	}
	return nil
}

// lockRecord keeps a second install or uninstall away until this one is done.
func lockRecord(record string) (unlock func(), err error) {
	lock, err := os.OpenFile("/run/"+lockName(record), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, errors.New("another eci install or uninstall is at work")
	}
	return func() { lock.Close() }, nil
}
