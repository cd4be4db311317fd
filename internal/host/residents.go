package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/policy"
)

// UserNSLink is a link in the bundle of a container that says which user namespace is
// the container's, as /proc/<pid>/ns/user does: "user:[4026532301]". Only while the
// container's first process is there is it true.
const UserNSLink = "eci-userns"

// specFile is the OCI spec of a bundle.
const specFile = "config.json"

// initFile is the file in a bundle with the number of the first process.
const initFile = "init.pid"

// residents knows which containers of this runtime live in which user namespace.
type residents struct {
	view     *View
	hostUser uint64
	bundles  map[uint64][]string // what bundles claim, by inode
}

// resident is a container that lives.
type resident struct {
	bundle string
	user   uint64   // the inode of its user namespace
	proc   *os.File // of its first process; reading there fails when that has ended
}

// newResidents looks through the bundles of all who have a claim.
func newResidents(v *View, pool idmap.Pool) (*residents, error) {
	host, err := namespaceOf("/proc/self", "user")
	if err != nil {
		return nil, err
	}
	claims, err := pool.Claims()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look for the containers of this runtime: %w", err)
	}
	r := &residents{view: v, hostUser: host, bundles: make(map[uint64][]string)}
	for _, c := range claims {
		text, err := r.readLink(c.Owner, UserNSLink)
		if err != nil {
			continue // it is about to be created, or gone: it does not live
		}
		if inode, ok := parseNamespace("user", text); ok {
			r.bundles[inode] = append(r.bundles[inode], c.Owner)
		}
	}
	return r, nil
}

// container is a container that lives in a user namespace, nil if none does.
func (r *residents) container(user uint64) *resident {
	for _, bundle := range r.bundles[user] {
		if proc := r.firstProcess(bundle); proc != nil {
			if got, err := namespaceIn(proc, "user"); err == nil && got == user {
				return &resident{bundle, user, proc}
			}
			proc.Close()
		}
	}
	return nil
}

// firstProcess opens the process that a bundle calls its first. That may have ended,
// and its number be another's by now: who is asked about its user namespace tells.
func (r *residents) firstProcess(bundle string) *os.File {
	dir, err := r.openBundle(bundle)
	if err != nil {
		return nil
	}
	defer dir.Close()
	data, err := readBelow(dir, initFile)
	if err != nil {
		return nil
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid <= 0 {
		return nil
	}
	proc, err := openProcess(pid)
	if err != nil {
		return nil
	}
	return proc
}

// stays tells whether look goes on seeing somebody. A process that is on its way into a
// container is in its namespaces before it is known, and one that has made a namespace is
// there until it has ended, both for an instant.
func stays(look func() (somebody bool)) bool {
	const looks, pause = 5, 20 * time.Millisecond
	for range looks - 1 {
		if !look() {
			return false
		}
		time.Sleep(pause)
	}
	return look()
}

// in says which container lives in a namespace that the host owns, and whether anybody
// does who is not one, or another one with another user namespace.
func (r *residents) in(entry string, inode uint64) (found *resident, foreign bool) {
	foreign = stays(func() (foreign bool) {
		if found != nil {
			found.proc.Close()
		}
		found, foreign = r.lookIn(entry, inode)
		return foreign
	})
	return found, foreign
}

func (r *residents) lookIn(entry string, inode uint64) (found *resident, foreign bool) {
	for _, pid := range processesIn(entry, inode) {
		switch c := r.containerOf(pid); {
		case c == nil:
			if in, err := namespaceOf("/proc/"+strconv.Itoa(pid), entry); err == nil && in == inode {
				foreign = true
			}
		case found == nil:
			found = c
		default:
			foreign = foreign || c.user != found.user
			c.proc.Close()
		}
	}
	return found, foreign
}

// containerOf is the container that a process belongs to: whose user namespace it is in,
// or in one that was made there.
func (r *residents) containerOf(pid int) *resident {
	ns, err := linux.OpenNS(pid, "user")
	for err == nil {
		var inode uint64
		if inode, err = inodeOf(ns); err != nil || inode == r.hostUser {
			break
		}
		if c := r.container(inode); c != nil {
			ns.Close()
			return c
		}
		var parent *os.File
		parent, err = linux.ParentNS(ns)
		ns.Close()
		ns = parent
	}
	if ns != nil {
		ns.Close()
	}
	return nil
}

// nested tells whether a user namespace lies in another one than the host's.
func (r *residents) nested(user *os.File) (bool, error) {
	parent, err := linux.ParentNS(user)
	if errors.Is(err, unix.EPERM) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer parent.Close()
	inode, err := inodeOf(parent)
	return inode != r.hostUser, err
}

// podOf is the pod of a container, by its spec.
func (r *residents) podOf(bundle string) (string, error) {
	dir, err := r.openBundle(bundle)
	if err != nil {
		return "", err
	}
	defer dir.Close()
	data, err := readBelow(dir, specFile)
	if err != nil {
		return "", err
	}
	var spec struct {
		Annotations map[string]string `json:"annotations"`
	}
	if err := json.Unmarshal(data, &spec); err != nil {
		return "", fmt.Errorf("look for the pod of %s: %w", bundle, err)
	}
	return policy.PodOf(spec.Annotations), nil
}

func (r *residents) openBundle(bundle string) (*os.File, error) {
	return linux.OpenInRoot(r.view.root, bundle, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW)
}

func (r *residents) readLink(bundle, name string) (string, error) {
	dir, err := r.openBundle(bundle)
	if err != nil {
		return "", err
	}
	defer dir.Close()
	return linux.ReadLink(dir, name)
}
