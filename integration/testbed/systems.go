package testbed

import (
	"context"
	"errors"
)

// SystemsName is the image of a whole Debian with systemd and engines.
const SystemsName = "eci.test/systems:latest"

// systemsPath is where `make systems` puts that image's root file system, below the
// directory of the built programs.
const systemsPath = "images/systems.tar"

// ErrNoSystems is returned where `make systems` has not been run.
var ErrNoSystems = errors.New("the image of a whole system is not built: run `make systems`")

// ImportSystems brings the image of a whole system into the bed, with the probe in it. It is
// large: one bed is enough. The error is ErrNoSystems if it is not built.
func (d *Daemon) ImportSystems(ctx context.Context) error {
	return d.importDebian(ctx, SystemsName, systemsPath, ErrNoSystems)
}
