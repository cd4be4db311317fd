package setup

import "errors"

var (
	// ErrEdited: our part of a file is not what was written any more.
	ErrEdited = errors.New("edited since eci install")
	// ErrTaken: the name that we want is somebody else's there.
	ErrTaken = errors.New("is configured already, and not by eci install")
	// ErrChanged: a file has changed between the plan and the writing of it.
	ErrChanged = errors.New("has changed meanwhile: start again")
	// ErrForm: a file has a form that cannot be edited safely.
	ErrForm = errors.New("cannot be edited safely")
)
