package host

import (
	"os"
	"path/filepath"

	"github.com/eci-runtime/eci/policy"
)

// Engine is the containerd that a container belongs to, by the places of its things.
// What is not known is empty.
type Engine struct {
	// Root is the directory of content and snapshots, State that of bundles, and
	// Socket where it listens.
	Root, State, Socket string
}

// Where an engine keeps its things unless its configuration says otherwise. Rules of
// the policy name these.
var usualEngine = Engine{Root: "/var/lib/containerd", State: "/run/containerd"}

// tasksDir is containerd's directory of bundles, below its state, and of what stays
// of them after a reboot, below its root: <namespace>/<id>.
const tasksDir = "io.containerd.runtime.v2.task"

// EngineOf reads the places from a bundle, which has a link to its other directory.
func EngineOf(bundle, socket string) Engine {
	e := Engine{State: aboveTasks(bundle), Socket: socket}
	if work, err := os.Readlink(filepath.Join(bundle, "work")); err == nil {
		e.Root = aboveTasks(work)
	}
	return e
}

func aboveTasks(dir string) string {
	tasks := filepath.Dir(filepath.Dir(filepath.Clean(dir)))
	if !filepath.IsAbs(dir) || filepath.Base(tasks) != tasksDir {
		return ""
	}
	return filepath.Dir(tasks)
}

// In has the rules of the policy hold for the engine's places, wherever they are.
func (e Engine) In(cfg policy.Config) policy.Config {
	if e.Root != "" {
		cfg = cfg.Moved(usualEngine.Root, e.Root)
	}
	if e.State != "" {
		cfg = cfg.Moved(usualEngine.State, e.State)
	}
	if e.Socket != "" {
		cfg = cfg.WithEngine(e.Socket).WithEngine(e.Socket + ".ttrpc")
	}
	return cfg
}

// Own are the directories that no container may have whole, whatever the rules say.
func (e Engine) Own() []string {
	var dirs []string
	for _, dir := range []string{e.Root, e.State} {
		if dir != "" {
			dirs = append(dirs, dir)
		}
	}
	if e.Socket != "" {
		dirs = append(dirs, filepath.Dir(e.Socket))
	}
	return dirs
}
