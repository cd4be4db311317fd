package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/host"
)

func probePool(_ context.Context, b *bench) []finding {
	const what = "host IDs"
	p := host.Pool(b.cfg)
	total, used, free, err := countRanges(p)
	if err != nil {
		return []finding{{what, missing, err.Error(), nothingStarts, "the directory must be root's: see state_dir"}}
	}
	found := fmt.Sprintf("%d-%d: %d ranges of %d, %d in use, %d free", p.First, p.Last, total, p.Size, used, free)
	switch {
	case free == 0:
		return []finding{{what, missing, found, "no further container starts", "set ids.end higher, or ids.base to where there is room"}}
	case free < total/10:
		return []finding{{what, worse, found, "soon no further container starts", "set ids.end higher"}}
	}
	return ok(what, "%s", found)
}

// countRanges tells how many ranges a pool has, how many are in use, and how many of the
// others can be given away.
func countRanges(p idmap.Pool) (total, used, free uint64, err error) {
	claims, err := p.Claims()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, 0, 0, err
	}
	total = (uint64(p.Last) - uint64(p.First) + 1) / uint64(p.Size)
	taken := map[uint64]bool{} // by their number
	mark := func(r idmap.Range) {
		if low, high := max(r.Base, p.First), min(r.Last(), p.Last); low <= high {
			for n := uint64(low-p.First) / uint64(p.Size); n <= uint64(high-p.First)/uint64(p.Size); n++ {
				taken[n] = true
			}
		}
	}
	inUse := map[idmap.Range]bool{}
	for _, c := range claims {
		inUse[c.Range] = true
		mark(c.Range)
	}
	for _, s := range subIDs() {
		mark(s.Range)
	}
	delete(taken, total) // the rest at the end, which is no range
	return total, uint64(len(inUse)), total - min(total, uint64(len(taken))), nil
}

// subID is a line of subuid(5) or subgid(5).
type subID struct {
	file, name string
	idmap.Range
}

// subIDs are the IDs that the host has given to its users.
func subIDs() []subID {
	var out []subID
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range bytes.Lines(data) {
			name, rest, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
			first, count, _ := strings.Cut(rest, ":")
			base, errBase := strconv.ParseUint(first, 10, 32)
			size, errSize := strconv.ParseUint(count, 10, 32)
			if errBase != nil || errSize != nil || size == 0 {
				continue
			}
			out = append(out, subID{file, name, idmap.Range{Base: uint32(base), Size: uint32(min(size, 1<<32-1-base))}})
		}
	}
	return out
}

// probeSubIDs looks for ranges that belong to a user of the host and to a container.
func probeSubIDs(_ context.Context, b *bench) []finding {
	const what = "subordinate IDs"
	p := host.Pool(b.cfg)
	claims, _ := p.Claims()
	whole := idmap.Range{Base: p.First, Size: p.Last - p.First + 1}
	var inside, clash []string
	for _, s := range subIDs() {
		if !s.Overlaps(whole) {
			continue
		}
		text := fmt.Sprintf("%s %s (%s)", s.name, s.Range, s.file)
		inside = append(inside, text)
		for _, c := range claims {
			if c.Overlaps(s.Range) {
				clash = append(clash, fmt.Sprintf("%s and the container in %s", text, c.Owner))
				break
			}
		}
	}
	switch {
	case len(clash) > 0:
		return []finding{{
			what, worse, strings.Join(clash, "; "), "this user's own containers and ours have IDs in common",
			"give the user another range, or start the container again: new ones skip what is listed there",
		}}
	case len(inside) > 0:
		return ok(what, "in the pool, and skipped: %s", strings.Join(inside, ", "))
	}
	return ok(what, "none in the pool")
}

// probeUsernsRemap looks for Docker's own way to map IDs, which is in the way of ours.
func probeUsernsRemap(context.Context, *bench) []finding {
	const file = "/etc/docker/daemon.json"
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	var daemon struct {
		Remap string `json:"userns-remap"`
	}
	if json.Unmarshal(data, &daemon) != nil || daemon.Remap == "" {
		return ok("docker", "no userns-remap in %s", file)
	}
	return []finding{{
		"docker", worse, fmt.Sprintf("userns-remap is %q in %s", daemon.Remap, file),
		"Docker maps all its containers to one range, and only the first of them starts", "remove userns-remap: this runtime gives every container a range of its own",
	}}
}
