package host

import (
	"path"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/linux"
)

// upperOf is the directory in which an overlay mount writes, "" if it has none whose
// place is known.
func upperOf(m *mountinfo.Info) string {
	_, dir, _, err := idmap.ShownLayers(m.VFSOptions)
	if err != nil || !path.IsAbs(dir) {
		return ""
	}
	return under(path.Clean(dir), beyond(m.Root, "/"))
}

// unknownLayer stands for a layer that was not found. No absolute path is like it.
const unknownLayer = "?"

// layers are the directories that an overlay shows an object from, each with all its
// names. How sure it has to be which they are, find says.
//
// The host's own root is left out. Whoever set up the host has made it of things that
// are no longer where their names say (an initramfs, the engine that this host is a
// container of), and what it shows is known by its path.
func (o *observer) layers(at object, find finder) [][]string {
	if at.mount.FSType != "overlay" || o.table.root != nil && deviceOf(o.table.root) == deviceOf(at.mount) {
		return nil
	}
	dirs, upper, _, err := idmap.ShownLayers(at.mount.VFSOptions)
	if err != nil || len(dirs) == 0 {
		return [][]string{{unknownLayer}}
	}
	if upper != "" {
		dirs = append(dirs, upper)
	}
	layers := make([][]string, len(dirs))
	for i, dir := range dirs {
		found, ok := find(o, at.mount, dir)
		if !ok {
			layers[i] = []string{unknownLayer}
			continue
		}
		for _, name := range o.table.names(found) {
			layers[i] = append(layers[i], under(name, beyond(at.inner, "/")))
		}
	}
	return layers
}

// finder finds the directory of a layer again, by its name of when the overlay was
// mounted.
type finder func(o *observer, overlay *mountinfo.Info, name string) (object, bool)

// steadily finds a layer only where its name means now what it meant then, as far as
// anybody but root of the host has a say: it leads through no link, and through no
// directory that a user or a container can change. Engines mount overlays where their
// users want them.
func steadily(o *observer, _ *mountinfo.Info, name string) (object, bool) {
	if !path.IsAbs(name) {
		return object{}, false
	}
	name = path.Clean(name)
	if !o.names.guarded(path.Dir(name)) {
		return object{}, false
	}
	below, err := linux.StatAt(o.view.root, "."+name)
	for at := name; at != "/"; {
		at = path.Dir(at)
		var st linux.Stat
		if err == nil {
			st, err = linux.StatAt(o.view.root, "."+at)
		}
		if err != nil || !guards(st, below) {
			return object{}, false
		}
		below = st
	}
	return o.find(name, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_SYMLINKS)
}

// guards tells whether no user but root can put something else in the place of an entry
// of a directory. In one with the sticky bit, as /tmp, its owner can (chmod(1)).
func guards(dir, entry linux.Stat) bool {
	return dir.UID == 0 && (dir.Mode&0o022 == 0 || dir.Mode&unix.S_ISVTX != 0 && entry.UID == 0)
}

// readily finds a layer of a root file system that an engine has mounted, in a place
// of its own, from directories of its own. Docker names them by links; and several
// engines by relative names, where there are many: then they are looked for from the
// mount point upwards.
func readily(o *observer, overlay *mountinfo.Info, name string) (object, bool) {
	const resolve = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS
	if path.IsAbs(name) {
		return o.find(name, resolve)
	}
	for dir := overlay.Mountpoint; dir != "/"; {
		dir = path.Dir(dir)
		if found, ok := o.find(path.Join(dir, name), resolve); ok {
			return found, true
		}
	}
	return object{}, false
}

func (o *observer) find(name string, resolve uint64) (object, bool) {
	f, err := linux.OpenHow(o.view.root, name, unix.O_PATH|unix.O_DIRECTORY, resolve)
	if err != nil {
		return object{}, false
	}
	defer f.Close()
	st, err := linux.StatFile(f)
	if err != nil {
		return object{}, false
	}
	real, err := linux.PathOf(f)
	if err != nil {
		return object{}, false
	}
	return o.table.object(real, st.MountID)
}
