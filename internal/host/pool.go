package host

import (
	"path/filepath"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/policy"
)

// Pool is the pool of host IDs that a configuration describes.
func Pool(cfg policy.Config) idmap.Pool {
	return idmap.Pool{
		Dir:   RangesDir(cfg.StateDir),
		First: cfg.IDs.Base, Last: cfg.IDs.End, Size: cfg.IDs.Size,
		Reserved: idmap.HostReserved,
	}
}

// RangesDir is the directory of claims in a state directory.
func RangesDir(stateDir string) string { return filepath.Join(stateDir, "ranges") }
