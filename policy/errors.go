package policy

import "errors"

// The classes of a [Violation]; errors.Is finds them through it. They are for
// callers that translate a refusal into an error class of their own.
var (
	// ErrMalformed says that the spec contradicts itself or the OCI runtime
	// specification, so that no policy could let it pass.
	ErrMalformed = errors.New("malformed spec")

	// ErrDenied says that the spec asks for what a rule does not give away.
	ErrDenied = errors.New("denied by policy")

	// ErrUnsupported says that the spec asks for something that this version,
	// or this kernel, cannot do safely.
	ErrUnsupported = errors.New("not supported")

	// ErrConfig says that the configuration cannot be used; no container may
	// start until it is mended.
	ErrConfig = errors.New("invalid configuration")

	// ErrGrant says that [Rewrite] was called with placements or a grant that
	// do not belong to the spec: a mistake of the caller, never of a client.
	ErrGrant = errors.New("grant does not fit the spec")
)
