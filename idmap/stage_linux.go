package idmap

import (
	"errors"
	"fmt"
	"os"

	"github.com/eci-runtime/eci/internal/linux"
)

// StageConfig says for whom and where a tree is staged.
type StageConfig struct {
	// Range is the container's IDs.
	Range Range
	// UserNS is a user namespace that maps them, as [NewUserNamespace]
	// makes it.
	UserNS *os.File
	// HostNS is the mount namespace in which paths of layers and volumes
	// mean what they say. Nil: the caller's.
	HostNS *os.File
}

// Stage builds the file tree of one container. It lives on a thread of its
// own, inside [RunStage], and is used only there: not from other goroutines.
type Stage struct {
	StageConfig
	own    *os.File // the caller's mount namespace
	onHost bool
	asRoot bool
	keep   bool // capabilities are kept
	attach bool // layers are attached even where the kernel need not have it
	spent  []*os.File
	upper  *upperLayer // of the overlay that was mounted; nil without
}

// RunStage calls fn on a thread of its own, which is destroyed afterwards; the
// thread's working directory is its own and its umask 0.
func RunStage(c StageConfig, fn func(*Stage) error) error {
	if err := c.Range.Validate(); err != nil {
		return err
	}
	if c.UserNS == nil {
		return errors.New("stage without a user namespace")
	}
	s := &Stage{StageConfig: c}
	defer func() { go s.drop() }()
	return linux.OnThread(func() error {
		if c.HostNS != nil {
			own, err := linux.OpenNS(0, "mnt")
			if err != nil {
				return err
			}
			defer own.Close()
			s.own = own
		}
		return fn(s)
	})
}

// spend gives a detached mount that is not needed any more to the stage. To
// close one takes a grace period of RCU, which the container need not wait for.
func (s *Stage) spend(f *os.File) { s.spent = append(s.spent, f) }

func (s *Stage) drop() {
	for _, f := range s.spent {
		f.Close()
	}
}

// OnHost calls fn in the host's mount namespace, where sources are opened by
// path and cloned, and comes back. Calls may be nested.
func (s *Stage) OnHost(fn func() error) error {
	if s.onHost || s.HostNS == nil {
		return fn()
	}
	if err := linux.EnterMountNS(s.HostNS); err != nil {
		return fmt.Errorf("enter the host's mount namespace: %w", err)
	}
	s.onHost = true
	err := fn()
	s.onHost = false
	if back := linux.EnterMountNS(s.own); back != nil {
		return fmt.Errorf("leave the host's mount namespace: %w", back)
	}
	return err
}

// AsRoot calls fn with the container's root as the owner of what it makes
// (fsuid and fsgid are the base of the range), while all capabilities stay.
// Making something in an ID-mapped mount as the host's root, who is not in the
// mapping, fails with EOVERFLOW. Calls may be nested.
func (s *Stage) AsRoot(fn func() error) error {
	if s.asRoot {
		return fn()
	}
	if !s.keep {
		if err := linux.KeepCaps(); err != nil {
			return err
		}
		s.keep = true
	}
	if err := linux.SetFSIDs(s.Range.Base, s.Range.Base); err != nil {
		return err
	}
	s.asRoot = true
	err := fn()
	s.asRoot = false
	if back := linux.SetFSIDs(uint32(os.Geteuid()), uint32(os.Getegid())); back != nil {
		return back
	}
	return err
}
