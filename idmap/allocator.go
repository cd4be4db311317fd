package idmap

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
)

// Pool hands out ranges of host IDs that no two containers have in common.
//
// It is a directory with one symbolic link per claim: the name is the range, the
// target the owner, which is the container's bundle. `ls -l` shows who has what.
// Containers that share a range, as those of a pod, have a link each, all but one
// with a number behind the range: 100000-165535, 100000-165535.2. The range is
// free when none of them is left, in whatever order they go. A claim whose owner
// does not exist any more may be swept.
// Whoever changes the directory holds flock(2) on it; a link is made by one
// system call, so that a crash leaves either all of a claim or nothing.
//
// The zero value has no range to give.
type Pool struct {
	// Dir is the directory; it is made (mode 0711) if it is missing, its
	// parent is not. It should lie on a tmpfs: claims end with the boot.
	Dir string
	// First and Last are the lowest and the highest host ID to hand out.
	First, Last uint32
	// Size is the number of IDs of a range. Ranges start at First plus a
	// multiple of Size.
	Size uint32
	// Reserved names what belongs to others; the zero value reserves nothing.
	Reserved Reserved
	// Exists tells whether an owner exists. Only a claim whose owner does
	// not is swept, so an error must be returned when it cannot be told.
	// Nil: lstat(2) of the owner's path, in the mount namespace of the
	// caller.
	Exists func(owner string) (bool, error)
}

// Claim is a range and who has it.
type Claim struct {
	Range
	// Owner is the absolute path of the owner's bundle.
	Owner string
}

// String is "<first>-<last> <owner>".
func (c Claim) String() string { return c.Range.String() + " " + c.Owner }

// Claim gives owner the lowest free range. It does not look whether owner has
// one already. When there is none it sweeps; ErrPoolExhausted if that does not
// help.
func (p Pool) Claim(owner string) (Range, error) {
	if err := p.check(owner); err != nil {
		return Range{}, err
	}
	reserved, err := p.Reserved.within(p.First, p.Last)
	if err != nil {
		return Range{}, fmt.Errorf("read reserved IDs: %w", err)
	}
	var r Range
	err = p.locked(func(d poolDir) error {
		links, err := d.links()
		if err != nil {
			return err
		}
		free, ok := p.lowest(slices.Concat(ranges(links), reserved))
		if !ok {
			if links, _, err = p.sweep(d, links); err != nil {
				return err
			}
			taken := ranges(links)
			if free, ok = p.lowest(slices.Concat(taken, reserved)); !ok {
				return fmt.Errorf("%w: %d of %d IDs from %d to %d are claimed in %s", ErrPoolExhausted, len(taken), p.Size, p.First, p.Last, p.Dir)
			}
		}
		r = free
		return d.add(r.String(), owner)
	})
	return r, err
}

// Next is the range that Claim would give now, if it need not sweep. Nobody gets it by that.
// ErrPoolExhausted: there is none.
func (p Pool) Next() (Range, error) {
	claims, err := p.Claims()
	if err != nil {
		return Range{}, err
	}
	taken, err := p.Reserved.within(p.First, p.Last)
	if err != nil {
		return Range{}, fmt.Errorf("read reserved IDs: %w", err)
	}
	for _, c := range claims {
		taken = append(taken, c.Range)
	}
	next, ok := p.lowest(taken)
	if !ok {
		return Range{}, ErrPoolExhausted
	}
	return next, nil
}

// ClaimRange gives owner the range r, which the caller brings; it need not lie
// between First and Last, and may be reserved for an engine (a kubelet's ranges are).
// ErrRangeTaken if it overlaps a claimed one, unless that is r itself and owner
// has it already, or what belongs to a user of the host.
func (p Pool) ClaimRange(owner string, r Range) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if err := checkOwner(owner); err != nil {
		return err
	}
	reserved, err := p.Reserved.others(r.Base, r.Last())
	if err != nil {
		return fmt.Errorf("read reserved IDs: %w", err)
	}
	if len(reserved) > 0 {
		return fmt.Errorf("%w: %v overlaps %v, which belongs to a user of the host", ErrRangeTaken, r, reserved[0])
	}
	return p.locked(func(d poolDir) error {
		links, err := d.links()
		if err != nil {
			return err
		}
		links = slices.DeleteFunc(links, func(l link) bool { return !l.Overlaps(r) })
		overlap := ranges(links)
		if slices.Equal(overlap, []Range{r}) && d.has(links, owner) {
			return nil
		}
		if links, _, err = p.sweep(d, links); err != nil {
			return err
		}
		if len(links) > 0 {
			return fmt.Errorf("%w: %v overlaps %v", ErrRangeTaken, r, overlap)
		}
		return d.add(r.String(), owner)
	})
}

// Share gives owner the range r beside another owner, who has it; ErrNotClaimed if
// that is not so, or not any more. An owner that has it already keeps it.
func (p Pool) Share(owner string, r Range, beside string) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if err := checkOwner(owner); err != nil {
		return err
	}
	return p.locked(func(d poolDir) error {
		links, err := d.linksOf(r)
		if err != nil {
			return err
		}
		switch {
		case !d.has(links, beside):
			return fmt.Errorf("%w: %v by %s", ErrNotClaimed, r, beside)
		case d.has(links, owner):
			return nil
		}
		return d.add(freeName(r, links), owner)
	})
}

// Release ends the claim of r if owner has it; ErrNotClaimed otherwise.
func (p Pool) Release(owner string, r Range) error {
	return p.locked(func(d poolDir) error {
		links, err := d.linksOf(r)
		if err != nil {
			return err
		}
		for _, l := range links {
			if got, err := d.owner(l); err == nil && got == owner {
				return d.remove(l)
			}
		}
		return fmt.Errorf("%w: %v by %s", ErrNotClaimed, r, owner)
	})
}

// ReleaseOwner ends every claim of owner, for one who does not know the range
// any more. No claim is no error.
func (p Pool) ReleaseOwner(owner string) error {
	return p.locked(func(d poolDir) error {
		links, err := d.links()
		if err != nil {
			return err
		}
		for _, l := range links {
			if got, err := d.owner(l); err != nil || got != owner {
				continue
			}
			if err := d.remove(l); err != nil {
				return err
			}
		}
		return nil
	})
}

// Find is the range of owner; ErrNotClaimed if it has none.
func (p Pool) Find(owner string) (Range, error) {
	claims, err := p.Claims()
	if err != nil {
		return Range{}, err
	}
	for _, c := range claims {
		if c.Owner == owner {
			return c.Range, nil
		}
	}
	return Range{}, fmt.Errorf("%w: by %s", ErrNotClaimed, owner)
}

// Claims lists what is claimed, lowest range first, a shared one as often as it has
// owners. It does not lock.
func (p Pool) Claims() ([]Claim, error) {
	d, err := p.open()
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.claims()
}

// Sweep ends the claims of owners that do not exist any more, and tells which.
func (p Pool) Sweep() (swept []Claim, err error) {
	err = p.locked(func(d poolDir) error {
		links, err := d.links()
		if err != nil {
			return err
		}
		_, swept, err = p.sweep(d, links)
		return err
	})
	return swept, err
}

func (p Pool) check(owner string) error {
	if err := (Range{p.First, p.Size}).Validate(); err != nil {
		return err
	}
	if err := (Range{p.First, p.Last - p.First + 1}).Validate(); err != nil || p.Last < p.First {
		return fmt.Errorf("%w: pool ends at %d", ErrInvalidRange, p.Last)
	}
	return checkOwner(owner)
}

func checkOwner(owner string) error {
	if !filepath.IsAbs(owner) || filepath.Clean(owner) != owner {
		return fmt.Errorf("owner of an ID range %q is not a clean absolute path", owner)
	}
	return nil
}

// lowest is the lowest range of the pool that overlaps nothing of taken, which
// it sorts.
func (p Pool) lowest(taken []Range) (Range, bool) {
	slices.SortFunc(taken, func(a, b Range) int { return cmp.Compare(a.Base, b.Base) })
	next := uint64(p.First)
	for _, t := range taken {
		if uint64(t.Last()) < next {
			continue
		}
		if next+uint64(p.Size) <= uint64(t.Base) {
			break
		}
		size := uint64(p.Size)
		next += (uint64(t.Last()) - next + size) / size * size
	}
	if next+uint64(p.Size)-1 > uint64(p.Last) {
		return Range{}, false
	}
	return Range{Base: uint32(next), Size: p.Size}, true
}
