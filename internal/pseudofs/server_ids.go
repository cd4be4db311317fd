package pseudofs

import (
	"strings"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// Numbers of inodes: the root, the two masks, the served directories, the same for the
// container's own network namespace, the nodes; and above all of them what is passed through
// from a network namespace.
const (
	rootID      = fuse.FUSE_ROOT_ID
	maskFileID  = 2
	maskDirID   = 3
	firstDirID  = 16
	firstOwnID  = 32
	firstFileID = 64
	firstNetID  = 1 << 32
)

// What [FS.NewInstance] mounts on masked paths: a file and a directory without content.
const (
	maskFile = "masked-file"
	maskDir  = "masked-directory"
)

// dir is a directory that this package serves, but the root.
type dir struct {
	path string
	// through tells that it shows what the kernel's directory has, too.
	through bool
	// entries are the numbers of the nodes and directories that it has anyway.
	entries map[string]uint64
}

// dirs are the served directories, and those below them that hold nodes.
var dirs = makeDirs()

func makeDirs() []dir {
	var out []dir
	index := map[string]int{}
	add := func(path string, through bool) int {
		if i, ok := index[path]; ok {
			return i
		}
		index[path] = len(out)
		out = append(out, dir{path, through, map[string]uint64{}})
		return len(out) - 1
	}
	for _, s := range served {
		add(s.path, true)
	}
	for i := range nodes {
		parent, name := split(nodes[i].path)
		id := fileID(i)
		for isServed(parent) {
			d := add(parent, false)
			out[d].entries[name] = id
			id = dirID(d)
			parent, name = split(parent)
		}
	}
	return out
}

// isServed tells whether path is a served directory or below one.
func isServed(path string) bool {
	for _, s := range served {
		if path == s.path || strings.HasPrefix(path, s.path+"/") {
			return true
		}
	}
	return false
}

func split(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

func fileID(i int) uint64 { return firstFileID + uint64(i) }
func dirID(i int) uint64  { return firstDirID + uint64(i) }
func ownID(i int) uint64  { return firstOwnID + uint64(i) }

// fileOf is the node of an inode.
func fileOf(id uint64) (i int, ok bool) {
	i = int(id) - firstFileID
	return i, i >= 0 && i < len(nodes)
}

// dirOf is the served directory of an inode. own tells that it is for the container's own
// network namespace.
func dirOf(id uint64) (i int, own, ok bool) {
	if i = int(id) - firstDirID; i >= 0 && i < len(dirs) {
		return i, false, true
	}
	i = int(id) - firstOwnID
	return i, true, i >= 0 && i < len(served)
}

// entry is the name of a node or a served directory in the root of the file system.
func entry(path string) string { return strings.ReplaceAll(path, "/", ".") }

// ownEntry is the name of a served directory for the container's own network namespace.
func ownEntry(path string) string { return entry(path) + ".own" }

// rootEntries are the names in the root.
var rootEntries = makeRootEntries()

func makeRootEntries() map[string]uint64 {
	out := map[string]uint64{maskFile: maskFileID, maskDir: maskDirID}
	for i := range nodes {
		out[entry(nodes[i].path)] = fileID(i)
	}
	for i := range served {
		out[entry(served[i].path)] = dirID(i)
		out[ownEntry(served[i].path)] = ownID(i)
	}
	return out
}
