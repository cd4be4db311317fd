package main

import "strings"

// lines splits an output into its lines, without blanks around them.
func (o output) lines() []string {
	var all []string
	for line := range strings.Lines(o.text) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// line is the i-th line of an output, "(nothing)" if it has fewer.
func (o output) line(i int) string {
	if all := o.lines(); i < len(all) {
		return all[i]
	}
	return "(nothing)"
}

// reason is the error that a program reports: what follows the last colon of the
// first line that starts with its name.
func (o output) reason(program string) string {
	for _, line := range o.lines() {
		if strings.HasPrefix(line, program+": ") {
			_, text, _ := cutLast(line, ": ")
			return strings.TrimSuffix(text, " (are you root?)")
		}
	}
	return ""
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}

// orElse is s, or other where s is empty.
func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
