// Package attempt is the form in which the probe reports, from inside a
// container, what it tried: it is shared with the tests that read the reports.
package attempt
