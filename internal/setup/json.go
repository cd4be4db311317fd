package setup

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// member is a member of a JSON object, by its places in the text.
type member struct {
	key        string
	start, end int // of the whole member: its key to its value
	value      int // where its value begins
}

// object is a JSON object in a text.
type object struct {
	text        []byte
	open, close int // of its braces
	members     []member
}

// parseObject reads the object that a text consists of, beside white space. Its members keep
// their places.
func parseObject(text []byte, from, to int) (object, error) {
	o := object{text: text}
	d := json.NewDecoder(bytes.NewReader(text[from:to]))
	token, err := d.Token()
	if err != nil {
		return o, fmt.Errorf("%w: %w", ErrForm, err)
	}
	if token != json.Delim('{') {
		return o, fmt.Errorf("%w: it is not a JSON object", ErrForm)
	}
	o.open = from + int(d.InputOffset()) - 1
	seen := map[string]bool{}
	for d.More() {
		m := member{start: skip(text, from+int(d.InputOffset()), " \t\r\n,")}
		key, err := d.Token()
		if err != nil {
			return o, fmt.Errorf("%w: %w", ErrForm, err)
		}
		m.key = key.(string) // the decoder takes nothing else for a key
		if seen[m.key] {
			return o, fmt.Errorf("%w: it has the key %q twice", ErrForm, m.key)
		}
		seen[m.key] = true
		m.value = skip(text, from+int(d.InputOffset()), " \t\r\n:")
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return o, fmt.Errorf("%w: %w", ErrForm, err)
		}
		m.end = from + int(d.InputOffset())
		o.members = append(o.members, m)
	}
	if _, err := d.Token(); err != nil {
		return o, fmt.Errorf("%w: %w", ErrForm, err)
	}
	o.close = from + int(d.InputOffset()) - 1
	if rest := skip(text[:to], o.close+1, " \t\r\n"); rest != to {
		return o, fmt.Errorf("%w: there is more behind the JSON object", ErrForm)
	}
	return o, nil
}

// skip is the first place from which on there is none of some characters.
func skip(text []byte, at int, chars string) int {
	for at < len(text) && bytes.IndexByte([]byte(chars), text[at]) >= 0 {
		at++
	}
	return at
}

// find is the member of a key.
func (o object) find(key string) (member, bool) {
	for _, m := range o.members {
		if m.key == key {
			return m, true
		}
	}
	return member{}, false
}

// insert adds a member at the end, as the members before it are laid out.
func (o object) insert(key, value string) []byte {
	text := fmt.Sprintf("%q: %s", key, value)
	at := o.open + 1
	if n := len(o.members); n > 0 {
		last := o.members[n-1]
		at = last.end
		text = "," + o.space(last.start) + text
	} else {
		// An empty object is on a line of its own, or within one.
		outer := indentOf(o.text, o.open)
		text = "\n" + outer + step(o.text) + text
		if bytes.IndexByte(o.text[o.open:o.close], '\n') < 0 {
			text += "\n" + outer
		}
	}
	return splice(o.text, at, at, text)
}

// delete takes a member out, with the comma that it does not need any more.
func (o object) delete(key string) []byte {
	for i, m := range o.members {
		if m.key != key {
			continue
		}
		switch {
		case i > 0:
			return splice(o.text, o.members[i-1].end, m.end, "")
		case len(o.members) > 1:
			return splice(o.text, m.start, o.members[1].start, "")
		}
		return splice(o.text, o.open+1, o.close, "")
	}
	return o.text
}

// space is the white space in front of a place.
func (o object) space(at int) string {
	from := at
	for from > 0 && bytes.IndexByte([]byte(" \t\r\n"), o.text[from-1]) >= 0 {
		from--
	}
	if from == at {
		return " "
	}
	return string(o.text[from:at])
}

// indentOf is the indentation of the line of a place.
func indentOf(text []byte, at int) string {
	line := text[bytes.LastIndexByte(text[:at], '\n')+1 : at]
	return string(line[:skip(line, 0, " \t")])
}

// step is by how much a text indents: by what its first indented line is.
func step(text []byte) string {
	for line := range bytes.Lines(text) {
		if n := skip(line, 0, " \t"); n > 0 && n < len(bytes.TrimRight(line, "\r\n")) {
			return string(line[:n])
		}
	}
	return "    "
}

func splice(text []byte, from, to int, with string) []byte {
	return bytes.Join([][]byte{text[:from], []byte(with), text[to:]}, nil)
}

// sameJSON tells whether two texts mean the same.
func sameJSON(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	one, errOne := json.Marshal(x)
	two, errTwo := json.Marshal(y)
	return errOne == nil && errTwo == nil && bytes.Equal(one, two)
}
