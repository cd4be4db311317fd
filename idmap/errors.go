package idmap

import (
	"errors"
	"fmt"
)

var (
	// ErrInvalidRange is a range of IDs that is empty, contains host ID 0,
	// ends beyond the highest ID, or is not written <first>-<last>.
	ErrInvalidRange = errors.New("invalid ID range")
	// ErrNotMapped is a container ID outside of the container's range.
	ErrNotMapped = errors.New("ID is outside of the container's range")
	// ErrPoolExhausted: every range of the pool is claimed or reserved.
	ErrPoolExhausted = errors.New("no free ID range")
	// ErrRangeTaken: the range overlaps one that another owner has claimed.
	ErrRangeTaken = errors.New("ID range is taken")
	// ErrNotClaimed: the owner has no range.
	ErrNotClaimed = errors.New("no ID range is claimed")
	// ErrUnsafePool: the pool's directory could be changed by others.
	ErrUnsafePool = errors.New("directory of ID ranges is not safe")
	// ErrNotMappable is what every [*UnsupportedError] is ([errors.Is]).
	ErrNotMappable = errors.New("cannot be ID-mapped")
	// ErrMountPoint: an image or volume has something at or above a mount
	// point that cannot be mounted on.
	ErrMountPoint = errors.New("unusable mount point")
	// ErrMountOption is a mount option that is malformed or not supported.
	ErrMountOption = errors.New("invalid mount option")
	// ErrNotJudged: a directory is not the one that was judged, or could be
	// exchanged for another one before it is mounted.
	ErrNotJudged = errors.New("directory is not the one that was judged")
	// ErrKernel: the kernel lacks a feature that is needed.
	ErrKernel = errors.New("kernel feature is missing")
)

// UnsupportedError tells that a file system cannot be ID-mapped.
type UnsupportedError struct {
	// FSType is the type of the file system ("nfs4"), "" if unknown.
	FSType string
	// Path is where it is mounted or what was asked for.
	Path string
	// Reason says why, without a full stop.
	Reason string
	// Err is the kernel's error, if one came from there.
	Err error
}

// Error is one line.
func (e *UnsupportedError) Error() string {
	fs := "file system"
	if e.FSType != "" {
		fs = e.FSType + " file system"
	}
	return fmt.Sprintf("%s at %s %v: %s (see docs/kernel.md)", fs, e.Path, ErrNotMappable, e.Reason)
}

// Is makes every UnsupportedError an ErrNotMappable.
func (e *UnsupportedError) Is(target error) bool { return target == ErrNotMappable }

// Unwrap gives the kernel's error.
func (e *UnsupportedError) Unwrap() error { return e.Err }
