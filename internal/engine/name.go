package engine

import (
	"fmt"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/eci-runtime/eci/policy"
)

// FullName is the name of an image as engines write it into their records, with its
// registry and its tag: docker.io/library/docker:cli for docker:cli.
func FullName(name string) (string, error) {
	ref, err := reference.ParseDockerRef(name)
	if err != nil {
		return "", fmt.Errorf("%q is no name of an image: %w", name, err)
	}
	return ref.String(), nil
}

// newPin is a pin of which everything is known.
func newPin(name, sum, chain string) (policy.Pin, error) {
	for _, d := range []string{sum, chain} {
		if parsed, err := digest.Parse(d); err != nil || parsed.Algorithm() != digest.SHA256 {
			return policy.Pin{}, fmt.Errorf("%s cannot be pinned: the engine gives %q, not a SHA-256 digest", name, d)
		}
	}
	return policy.Pin{Name: name, Digest: sum, Chain: chain}, nil
}
