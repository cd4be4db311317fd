package policy

import (
	"bytes"
	"fmt"
)

// ParsePins reads images.lock: a table for each name in Config.Sockets.Images whose
// content is known.
//
//	[[image]]
//	name = "docker.io/library/docker:cli"
//	digest = "sha256:…"
//	chain = "sha256:…"
//
// Errors are those of [Parse].
func ParsePins(name string, data []byte) ([]Pin, error) {
	var f struct {
		Image []struct {
			Name   string `toml:"name"`
			Digest string `toml:"digest"`
			Chain  string `toml:"chain"`
		} `toml:"image"`
	}
	keys, err := decode(name, data, &f, pinned)
	if err != nil {
		return nil, err
	}
	var pins []Pin
	for i, image := range f.Image {
		p := Pin{Name: image.Name, Digest: image.Digest, Chain: image.Chain}
		if key, reason := p.bad(); reason != "" {
			table := fmt.Sprintf("image[%d]", i)
			return nil, fmt.Errorf("%w: %s:%d: %s.%s: %s", ErrConfig, name, keys.line(table+"."+key, table), table, key, reason)
		}
		pins = append(pins, p)
	}
	return pins, nil
}

// bad says which key of a pin is wrong, and why.
func (p Pin) bad() (key, reason string) {
	if _, version := splitImage(p.Name); !isImage(p.Name) || version[0] == '@' || version == ":*" {
		return "name", fmt.Sprintf("%q is not the full name of an image with its tag", p.Name)
	}
	for _, d := range []struct{ key, value string }{{"digest", p.Digest}, {"chain", p.Chain}} {
		if !isDigest(d.value) {
			return d.key, fmt.Sprintf("%q is not sha256: and 64 hexadecimal digits", d.value)
		}
	}
	return "", ""
}

// FormatPins writes what [ParsePins] reads.
func FormatPins(pins []Pin) []byte {
	var b bytes.Buffer
	for i, p := range pins {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "[[image]]\nname = %s\ndigest = %s\nchain = %s\n", quoteTOML(p.Name), quoteTOML(p.Digest), quoteTOML(p.Chain))
	}
	return b.Bytes()
}
