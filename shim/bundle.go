package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// specFile is the OCI spec of a bundle.
const specFile = "config.json"

// errSpec is the class of errors in a spec that is no spec.
var errSpec = errors.New("error in the container spec")

// loadSpec reads the spec of a bundle.
func loadSpec(bundle string) (*specs.Spec, error) {
	data, err := os.ReadFile(filepath.Join(bundle, specFile))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSpec, err)
	}
	spec := new(specs.Spec)
	if err := json.Unmarshal(data, spec); err != nil {
		return nil, fmt.Errorf("%w: %s is not an OCI spec: %w", errSpec, specFile, err)
	}
	return spec, nil
}

// saveSpec replaces the spec of a bundle, whole or not at all.
func saveSpec(bundle string, spec *specs.Spec) error {
	data, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	next := filepath.Join(bundle, "."+specFile)
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return err
	}
	return os.Rename(next, filepath.Join(bundle, specFile))
}

// warmSpecDecoder decodes the spec of the server's own bundle once and drops the
// result. The first time costs package json six times as much as the next: it has
// to learn the types. It is spent while the server waits for its first request.
func warmSpecDecoder() { _, _ = loadSpec(".") }
