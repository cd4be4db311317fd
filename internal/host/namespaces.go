package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/policy"
)

// Namespaces are those that a spec gives by path, opened, with the user namespaces
// that go with them. What was judged is what is joined: by the paths that lead to the
// opened files, as long as they are open. Nil is none.
type Namespaces struct {
	files map[int]*os.File    // by index into linux.namespaces
	users map[uint64]*os.File // by inode
	lock  *os.File            // of the network namespace that is borrowed, nil for none
}

// Close closes them, and lets others look at a network that was borrowed.
func (n *Namespaces) Close() {
	if n == nil {
		return
	}
	if n.lock != nil {
		n.lock.Close()
	}
	for _, f := range n.files {
		f.Close()
	}
	for _, f := range n.users {
		f.Close()
	}
	n.files, n.users, n.lock = nil, nil, nil
}

// File is the namespace at index i of the spec's list, nil if it has no path.
func (n *Namespaces) File(i int) *os.File { return n.files[i] }

// Path is where any process of the host's that may, finds the namespace at index i.
func (n *Namespaces) Path(i int) string { return openedPath(n.files[i]) }

// UserNS is Path for the user namespace with that inode.
func (n *Namespaces) UserNS(inode uint64) string {
	if n == nil {
		return ""
	}
	return openedPath(n.users[inode])
}

func openedPath(f *os.File) string {
	if f == nil {
		return ""
	}
	return "/proc/" + strconv.Itoa(os.Getpid()) + "/fd/" + strconv.Itoa(int(f.Fd()))
}

// namespaceKinds are the types of namespaces: as the kernel numbers them, and as
// /proc/<pid>/ns calls them.
var namespaceKinds = map[int]struct {
	kind  specs.LinuxNamespaceType
	entry string
}{
	unix.CLONE_NEWPID:    {specs.PIDNamespace, "pid"},
	unix.CLONE_NEWNET:    {specs.NetworkNamespace, "net"},
	unix.CLONE_NEWIPC:    {specs.IPCNamespace, "ipc"},
	unix.CLONE_NEWUTS:    {specs.UTSNamespace, "uts"},
	unix.CLONE_NEWNS:     {specs.MountNamespace, "mnt"},
	unix.CLONE_NEWUSER:   {specs.UserNamespace, "user"},
	unix.CLONE_NEWCGROUP: {specs.CgroupNamespace, "cgroup"},
	unix.CLONE_NEWTIME:   {specs.TimeNamespace, "time"},
}

// Joining is a container that is about to join namespaces.
type Joining struct {
	// View is where the paths lead.
	View *View

	// Claims are those of this runtime's containers.
	Claims idmap.Pool

	// Locks is a file of the runtime's alone that is made if it is missing. In it, the
	// network that is borrowed is locked until the namespaces are closed, so that nobody
	// else is judged by who lives in it. Empty for whoever only looks.
	Locks string

	// Namespaces is the spec's list.
	Namespaces []specs.LinuxNamespace
}

// OpenNamespaces opens what the paths in a spec's list lead to, through magic links too,
// and finds out whose it is. One that does not exist has no facts. ErrNetworkBusy: others
// are about to join the network, and do not come to an end.
func OpenNamespaces(ctx context.Context, j Joining) (map[int]policy.Namespace, *Namespaces, error) {
	n := &Namespaces{files: make(map[int]*os.File), users: make(map[uint64]*os.File)}
	facts := make(map[int]policy.Namespace)
	err := n.open(j.View, j.Namespaces, facts)
	if err == nil && len(n.files) > 0 {
		err = n.describe(ctx, j, facts)
	}
	if err != nil {
		n.Close()
		return nil, nil, err
	}
	return facts, n, nil
}

// open opens each, and notes why one cannot be opened.
func (n *Namespaces) open(v *View, list []specs.LinuxNamespace, facts map[int]policy.Namespace) error {
	paths := make(map[int]string)
	for i, ns := range list {
		switch {
		case ns.Path == "":
		case !filepath.IsAbs(ns.Path):
			facts[i] = policy.Namespace{Why: "the path is not absolute"}
		default:
			paths[i] = ns.Path
		}
	}
	if len(paths) == 0 {
		return nil
	}
	return linux.OnThread(func() error {
		if err := linux.EnterMountNS(v.ns); err != nil {
			return err
		}
		for i, path := range paths {
			f, err := linux.FollowNS(path)
			var cause *fs.PathError
			switch {
			case err == nil:
				n.files[i] = f
			case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
			case errors.As(err, &cause):
				facts[i] = policy.Namespace{Why: cause.Err.Error()}
			default:
				return err
			}
		}
		return nil
	})
}

// describe finds out whose the opened namespaces are.
func (n *Namespaces) describe(ctx context.Context, j Joining, facts map[int]policy.Namespace) error {
	if err := n.borrow(ctx, j); err != nil {
		return err
	}
	who, err := newResidents(j.View, j.Claims)
	if err != nil {
		return err
	}
	for i, f := range n.files {
		if facts[i], err = n.describeOne(j.View, who, f); err != nil {
			return err
		}
	}
	return nil
}

func (n *Namespaces) describeOne(v *View, who *residents, f *os.File) (policy.Namespace, error) {
	flag, err := linux.NSType(f)
	if err != nil {
		return policy.Namespace{}, err
	}
	is, known := namespaceKinds[flag]
	if !known {
		return policy.Namespace{Why: "this type of namespace is not known"}, nil
	}
	inode, err := inodeOf(f)
	if err != nil {
		return policy.Namespace{}, err
	}
	fact := policy.Namespace{Type: is.kind}
	if fact.Host, err = isHost(v, is.entry, inode); err != nil {
		return policy.Namespace{}, err
	}
	if is.kind == specs.UserNamespace {
		if fact.Host {
			return fact, nil
		}
		err = n.addUser(who, &fact, f, is.entry, inode)
		return fact, err
	}
	owner, err := linux.UserNSOf(f)
	if errors.Is(err, unix.EPERM) {
		return fact, nil // and so it belongs to nobody whom the policy knows
	}
	if err != nil {
		return fact, err
	}
	defer owner.Close()
	ownerInode, err := inodeOf(owner)
	if err != nil {
		return fact, err
	}
	fact.HostOwned = ownerInode == who.hostUser
	switch {
	case !fact.HostOwned:
		err = n.addUser(who, &fact, owner, is.entry, inode)
	case !fact.Host && is.kind == specs.NetworkNamespace:
		err = n.addResidents(who, &fact, is.entry, inode)
	}
	return fact, err
}

// addUser says who lives in the user namespace that owns a namespace. Where no container
// of ours does, nobody may: neither there nor in the namespace. And who has made it has
// every right there, so it must have been the host's root, or its own: containerd makes
// those of pods as that user.
func (n *Namespaces) addUser(who *residents, fact *policy.Namespace, owner *os.File, entry string, inode uint64) (err error) {
	if fact.UserNS, err = inodeOf(owner); err != nil {
		return err
	}
	if err := n.keep(fact.UserNS, owner); err != nil {
		return err
	}
	if c := who.container(fact.UserNS); c != nil {
		defer c.proc.Close()
		fact.Container = c.bundle
		return readMappings(c.proc, fact)
	}
	if fact.Nested, err = who.nested(owner); err != nil || fact.Nested {
		return err
	}
	fact.Foreign = stays(func() bool {
		return len(processesIn("user", fact.UserNS)) > 0 || len(processesIn(entry, inode)) > 0
	})
	if fact.Foreign {
		return nil
	}
	err = linux.InUserNS(owner, func(pid int) error {
		proc, err := openProcess(pid)
		if err != nil {
			return err
		}
		defer proc.Close()
		return readMappings(proc, fact)
	})
	if errors.Is(err, errors.ErrUnsupported) {
		return nil // no mapping is known, and none will fit
	}
	if err != nil {
		return err
	}
	maker, err := linux.NSOwner(owner)
	fact.Foreign = maker != 0 && !isRootOf(maker, fact.UIDMappings)
	return err
}

// isRootOf tells whether a user of the host is the root of a user namespace.
func isRootOf(user uint32, mappings []specs.LinuxIDMapping) bool {
	return slices.ContainsFunc(mappings, func(m specs.LinuxIDMapping) bool { return m.ContainerID == 0 && m.HostID == user })
}

// addResidents says who lives in a namespace that the host owns.
func (n *Namespaces) addResidents(who *residents, fact *policy.Namespace, entry string, inode uint64) error {
	found, foreign := who.in(entry, inode)
	fact.Foreign = foreign
	if found == nil {
		return nil
	}
	defer found.proc.Close()
	fact.Container, fact.UserNS = found.bundle, found.user
	var err error
	if fact.Pod, err = who.podOf(found.bundle); err != nil {
		return err
	}
	ns, err := linux.OpenAt(found.proc, "ns/user", unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer ns.Close()
	if err := n.keep(fact.UserNS, ns); err != nil {
		return err
	}
	return readMappings(found.proc, fact)
}

// keep keeps a user namespace open beside the caller's descriptor of it.
func (n *Namespaces) keep(inode uint64, ns *os.File) error {
	if n.users[inode] != nil {
		return nil
	}
	fd, err := unix.FcntlInt(ns.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	n.users[inode] = os.NewFile(uintptr(fd), ns.Name())
	return nil
}

// isHost tells whether a namespace is the one that this process lives in, or, of mount
// namespaces, the view's.
func isHost(v *View, entry string, inode uint64) (bool, error) {
	own, err := namespaceOf("/proc/self", entry)
	if err != nil || own == inode || entry != "mnt" {
		return own == inode, err
	}
	of, err := inodeOf(v.ns)
	return of == inode, err
}

func inodeOf(ns *os.File) (uint64, error) {
	st, err := linux.StatFile(ns)
	return st.Ino, err
}
