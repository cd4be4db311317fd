package idmap

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"strconv"
)

// Reserved names the files that say which host IDs belong to others. A file
// that does not exist reserves nothing; one that cannot be read is an error; a
// malformed line is skipped, as the tools that own the files do. What a name
// service (NSS) adds to these files is not seen.
type Reserved struct {
	// SubIDs are files of subuid(5) format: <name>:<first>:<count>.
	SubIDs []string
	// Engines are names in SubIDs whose ranges are for containers: their engine may
	// bring one of them, and nobody else gets one.
	Engines []string
	// Passwd are files of passwd(5) format, of which user and group IDs count.
	Passwd []string
	// Group are files of group(5) format.
	Group []string
}

// HostReserved is what a host reserves.
var HostReserved = Reserved{
	SubIDs: []string{"/etc/subuid", "/etc/subgid"},
	// The users of the kubelet, of Docker's userns-remap, and of containers/storage.
	Engines: []string{"kubelet", "dockremap", "containers"},
	Passwd:  []string{"/etc/passwd"},
	Group:   []string{"/etc/group"},
}

// within gives what the files reserve of the IDs first to last.
func (r Reserved) within(first, last uint32) ([]Range, error) {
	return r.read(first, last, parseSubID)
}

// others is within, but for what is reserved for engines.
func (r Reserved) others(first, last uint32) ([]Range, error) {
	return r.read(first, last, func(out []Range, line []byte) []Range {
		name, _, _ := bytes.Cut(line, colon)
		if slices.Contains(r.Engines, string(name)) {
			return out
		}
		return parseSubID(out, line)
	})
}

func (r Reserved) read(first, last uint32, parseSubID lineParser) ([]Range, error) {
	var out, line []Range
	for _, kind := range []struct {
		files []string
		parse lineParser
	}{
		{r.SubIDs, parseSubID},
		{r.Passwd, parsePasswd},
		{r.Group, parseGroup},
	} {
		for _, file := range kind.files {
			data, err := readFile(file)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			for text := range bytes.Lines(data) {
				line = kind.parse(line[:0], bytes.TrimRight(text, "\n"))
				for _, r := range line {
					if r.Base <= last && r.Last() >= first {
						out = append(out, r)
					}
				}
			}
		}
	}
	return out, nil
}

// lineParser appends to out what a line of a file reserves.
type lineParser func(out []Range, line []byte) []Range

// parseSubID parses a line of subuid(5): a range, or nothing.
func parseSubID(out []Range, line []byte) []Range {
	_, line, _ = bytes.Cut(line, colon)
	first, count, _ := bytes.Cut(line, colon)
	a, errA := strconv.ParseUint(string(first), 10, 32)
	n, errN := strconv.ParseUint(string(count), 10, 64)
	if errA != nil || errN != nil || n == 0 {
		return out
	}
	return append(out, Range{Base: uint32(a), Size: uint32(min(n, 1<<32-a, 1<<32-1))})
}

// parsePasswd parses a line of passwd(5): the user's and the group's ID.
func parsePasswd(out []Range, line []byte) []Range {
	rest := skipFields(line, 2)
	uid, rest, _ := bytes.Cut(rest, colon)
	gid, _, _ := bytes.Cut(rest, colon)
	return appendSingle(appendSingle(out, uid), gid)
}

// parseGroup parses a line of group(5): the group's ID.
func parseGroup(out []Range, line []byte) []Range {
	gid, _, _ := bytes.Cut(skipFields(line, 2), colon)
	return appendSingle(out, gid)
}

var colon = []byte{':'}

func skipFields(line []byte, n int) []byte {
	for range n {
		_, line, _ = bytes.Cut(line, colon)
	}
	return line
}

func appendSingle(out []Range, id []byte) []Range {
	n, err := strconv.ParseUint(string(id), 10, 32)
	if err != nil {
		return out
	}
	return append(out, Range{Base: uint32(n), Size: 1})
}
