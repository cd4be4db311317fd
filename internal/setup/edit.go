package setup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Edit is the change of one file.
type Edit struct {
	// Path is the file, without symbolic links.
	Path string `json:"path"`

	// Before is what the file held, where it Existed.
	Before  []byte `json:"before,omitempty"`
	Existed bool   `json:"existed"`

	// After is what it will hold. A record has only its Sum.
	After []byte `json:"-"`

	// Sum is the SHA-256 of After, in hexadecimal digits.
	Sum string `json:"afterSHA256"`

	// Part is what of After is ours.
	Part Part `json:"part"`
}

// Kind says in which way a part of a file is ours.
type Kind string

const (
	// Whole is a file that is ours from beginning to end.
	Whole Kind = "file"
	// Lines are whole lines in a file of somebody else.
	Lines Kind = "lines"
	// Import is an element of containerd's array imports.
	Import Kind = "import"
	// Runtime is a member of the object runtimes in Docker's daemon.json.
	Runtime Kind = "runtime"
)

// Part is what of a file is ours.
type Part struct {
	// Kind says how to find it.
	Kind Kind `json:"kind"`

	// Name is the runtime's, where the kind is Runtime.
	Name string `json:"name,omitempty"`

	// Text is the lines, the element, or the value of the member.
	Text string `json:"text,omitempty"`

	// Made says that the array or object around it is ours, too.
	Made bool `json:"made,omitempty"`
}

// newEdit is an edit of what a file holds now.
func newEdit(f File, after []byte, part Part) Edit {
	return Edit{Path: f.Path, Before: f.Data, Existed: f.Exists, After: after, Sum: sum(after), Part: part}
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// revert gives what a file should hold without the edit, given what it holds now, and
// whether it should be there.
func (e Edit) revert(f File) (File, error) {
	switch {
	case f.Exists && sum(f.Data) == e.Sum:
		return File{Path: f.Path, Data: e.Before, Exists: e.Existed}, nil
	case f.Exists == e.Existed && bytes.Equal(f.Data, e.Before):
		return f, nil // it was never written, or somebody has put it back
	case !f.Exists:
		return f, nil // nothing of ours is left
	}
	data, err := e.Part.remove(f.Data)
	if err != nil {
		return f, fmt.Errorf("%s: %w", f.Path, err)
	}
	return File{Path: f.Path, Data: data, Exists: true}, nil
}

// remove takes a part out of what a file holds.
func (p Part) remove(data []byte) ([]byte, error) {
	switch p.Kind {
	case Lines:
		return removeLines(data, p.Text)
	case Import:
		return removeImport(data, p)
	case Runtime:
		return removeRuntime(data, p)
	}
	return nil, fmt.Errorf("%w: it is not as it was written", ErrEdited)
}

// removeLines takes out lines that stand there exactly once.
func removeLines(data []byte, text string) ([]byte, error) {
	switch n := bytes.Count(data, []byte(text)); n {
	case 1:
		return bytes.Replace(data, []byte(text), nil, 1), nil
	default:
		return nil, fmt.Errorf("%w: these lines are there %d times: %q", ErrEdited, n, text)
	}
}
