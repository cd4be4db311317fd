package attempt

// Attempt is one thing that was tried and what became of it.
type Attempt struct {
	Name string `json:"name"`
	// Errno is the symbolic name of the error of the last call that was made, ""
	// if all of them succeeded.
	Errno string `json:"errno,omitempty"`
	// Effect tells whether the attempt had the effect that it aimed at, whatever
	// the calls returned: a file written, something mounted, a device opened.
	Effect bool `json:"effect"`
	// Detail has more for a person to read.
	Detail string `json:"detail,omitempty"`
}
