package policy

// Mode says how a rule is applied. The zero value enforces.
type Mode string

const (
	// Enforce refuses what breaks the rule.
	Enforce Mode = "enforce"

	// Warn lets it pass and writes it down.
	Warn Mode = "warn"

	// Off does not look.
	Off Mode = "off"
)

// mode is how a rule is applied.
func (c Config) mode(rule string) Mode {
	if m := c.Rules[rule]; m != "" {
		return m
	}
	return Enforce
}

// Switchable names the rules whose mode can be set, in order. The others are what
// isolation is made of, or are about specs that nothing could be made of.
func Switchable() []string {
	var names []string
	for _, r := range rules {
		if r.fixed == "" {
			names = append(names, r.name)
		}
	}
	return names
}
