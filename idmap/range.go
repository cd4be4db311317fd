package idmap

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Range is a block of host IDs, the same for users and groups. Container ID n
// is host ID Base+n. The zero value is empty and maps nothing.
type Range struct {
	// Base is the first host ID: what the container's root is on the host.
	Base uint32
	// Size is the number of IDs.
	Size uint32
}

// maxID is the highest usable ID; the one above means "no ID" to the kernel.
const maxID = math.MaxUint32 - 1

// Validate gives ErrInvalidRange if r is empty, contains host ID 0 or goes
// beyond the highest ID.
func (r Range) Validate() error {
	switch {
	case r.Size == 0:
		return fmt.Errorf("%w: empty", ErrInvalidRange)
	case r.Base == 0:
		return fmt.Errorf("%w: %d IDs from 0 contain the host's root", ErrInvalidRange, r.Size)
	case uint64(r.Base)+uint64(r.Size)-1 > maxID:
		return fmt.Errorf("%w: %d IDs from %d end beyond %d", ErrInvalidRange, r.Size, r.Base, uint32(maxID))
	}
	return nil
}

// Last is the highest host ID of r, which must not be empty.
func (r Range) Last() uint32 { return r.Base + (r.Size - 1) }

// Contains tells whether host ID id is in r.
func (r Range) Contains(id uint32) bool { return id-r.Base < r.Size && id >= r.Base }

// Overlaps tells whether r and o have a host ID in common.
func (r Range) Overlaps(o Range) bool {
	return r.Size != 0 && o.Size != 0 && r.Base <= o.Last() && o.Base <= r.Last()
}

// HostID is the host ID of the container's ID id; ErrNotMapped if id is not
// below Size.
func (r Range) HostID(id uint32) (uint32, error) {
	if id >= r.Size {
		return 0, fmt.Errorf("%w: %d is not below %d", ErrNotMapped, id, r.Size)
	}
	return r.Base + id, nil
}

// String is "<first>-<last>", e.g. "100000-165535"; "" for an empty range.
func (r Range) String() string {
	if r.Size == 0 {
		return ""
	}
	b := make([]byte, 0, 21)
	b = strconv.AppendUint(b, uint64(r.Base), 10)
	b = append(b, '-')
	return string(strconv.AppendUint(b, uint64(r.Last()), 10))
}

// ParseRange parses what [Range.String] gives, and nothing else: decimal, no
// signs, no leading zeros. ErrInvalidRange otherwise.
func ParseRange(s string) (Range, error) {
	first, last, ok := strings.Cut(s, "-")
	a, okA := parseID(first)
	b, okB := parseID(last)
	if !ok || !okA || !okB || b < a {
		return Range{}, fmt.Errorf("%w: %q is not <first>-<last>", ErrInvalidRange, s)
	}
	r := Range{Base: a, Size: b - a + 1}
	if err := r.Validate(); err != nil {
		return Range{}, err
	}
	return r, nil
}

// parseID parses a decimal ID in its only spelling.
func parseID(s string) (uint32, bool) {
	if s == "" || s[0] == '0' && len(s) > 1 || s[0] == '+' {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil
}
