package shim

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// errStdio is the class of stdio that a client may not have.
var errStdio = errors.New("stdio")

// checkStdio refuses stdio that is no stream of the client's: the shim opens these
// paths as root of the host, so that a file would be read, or written, by the
// container. What has a scheme (binary://, file://, …) is a logging driver, which
// runs on the host by intention, like a hook.
func checkStdio(paths ...string) error {
	for _, path := range paths {
		if path == "" || strings.Contains(path, "://") {
			continue
		}
		info, err := os.Lstat(path)
		if err != nil {
			return fmt.Errorf("%w: %w", errStdio, err)
		}
		if info.Mode().Type() != os.ModeNamedPipe {
			return fmt.Errorf("%w: %q is not a named pipe", errStdio, path)
		}
	}
	return nil
}
