package policy

import "fmt"

// Violation is the refusal of a spec. It prints as one line, whatever the
// spec holds: text of the spec stands in it only quoted.
type Violation struct {
	// Rule is the name of the rule, a heading of docs/policy.md.
	Rule string

	// Field is where the spec breaks the rule, as in "mounts[3].source".
	Field string

	// Reason is the sentence for the person who reads it.
	Reason string

	// Class is ErrMalformed, ErrDenied or ErrUnsupported.
	Class error
}

// Error gives the whole line: reason, rule and field.
func (v *Violation) Error() string {
	return fmt.Sprintf("error in the container spec: %s (rule %s, field %s)", v.Reason, v.Rule, v.Field)
}

// Unwrap gives the class.
func (v *Violation) Unwrap() error { return v.Class }

func malformed(field, format string, args ...any) *Violation {
	return &Violation{Field: field, Reason: fmt.Sprintf(format, args...), Class: ErrMalformed}
}

func denied(field, format string, args ...any) *Violation {
	return &Violation{Field: field, Reason: fmt.Sprintf(format, args...), Class: ErrDenied}
}

func unsupported(field, format string, args ...any) *Violation {
	return &Violation{Field: field, Reason: fmt.Sprintf(format, args...), Class: ErrUnsupported}
}
