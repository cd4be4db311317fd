package policy

import (
	"fmt"
	"slices"
)

// State is about the directories in which container engines keep images and containers.
type State struct {
	// Directories are those in a container, absolute and clean, in which an engine that
	// runs there can mount overlays. They lie in the container's own writable layer. With
	// Docker's among them ([DockerRoot]) goes the one that the image's configuration of
	// Docker names. Nil or empty: none.
	Directories []string
}

// DockerRoot is where Docker keeps its state, if it is not configured otherwise.
const DockerRoot = "/var/lib/docker"

var defaultState = []string{
	DockerRoot, "/var/lib/containerd", "/var/lib/kubelet", "/var/lib/rancher", "/var/lib/k0s",
	"/var/lib/buildkit", "/var/lib/containers",
}

// system are directories of a distribution in which no engine keeps state, nor below.
var system = []string{
	"/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run", "/sbin", "/sys", "/usr",
}

// shared are directories that hold much beside the state of an engine.
var shared = []string{
	"/", "/home", "/media", "/mnt", "/opt", "/root", "/srv", "/tmp", "/var", "/var/cache", "/var/lib", "/var/log", "/var/tmp",
}

// badState says why a directory cannot be one of an engine's state.
func badState(dir string) string {
	if reason := badPath(dir); reason != "" {
		return reason
	}
	if slices.Contains(shared, dir) {
		return fmt.Sprintf("%q holds more than the state of an engine", dir)
	}
	for _, s := range system {
		if below(dir, s) {
			return fmt.Sprintf("%q is in %q, which belongs to the system", dir, s)
		}
	}
	return ""
}
