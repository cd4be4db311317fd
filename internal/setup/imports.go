package setup

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"
	"strconv"

	"github.com/pelletier/go-toml/v2"
)

var (
	// firstTable is where the top of a TOML document ends.
	firstTable = regexp.MustCompile(`(?m)^[ \t]*\[`)
	// importsKey is the beginning of the array.
	importsKey  = regexp.MustCompile(`(?m)^[ \t]*imports[ \t]*=[ \t]*\[`)
	versionLine = regexp.MustCompile(`(?m)^[ \t]*version[ \t]*=.*\n`)
)

// planImport adds a pattern to imports of containerd's main file, which is made where it is
// not there.
func planImport(main File, pattern string) (Edit, error) {
	if len(bytes.TrimSpace(main.Data)) == 0 {
		after := fmt.Sprintf("version = 3\nimports = [%q]\n", pattern)
		return newEdit(main, []byte(after), Part{Kind: Whole}), nil
	}
	after, part, err := addImport(main.Data, pattern)
	if err == nil {
		err = addsImport(main.Data, after, pattern)
	}
	if err != nil {
		return Edit{}, fmt.Errorf("%s: %w", main.Path, err)
	}
	return newEdit(main, after, part), nil
}

// top is the length of a document without its tables.
func top(data []byte) int {
	// An array over several lines may have a line that begins like a table.
	from := 0
	if _, end, ok := importsArray(data); ok {
		from = end
	}
	if at := firstTable.FindIndex(data[from:]); at != nil {
		return from + at[0]
	}
	return len(data)
}

func addImport(data []byte, pattern string) ([]byte, Part, error) {
	if begin, end, ok := importsArray(data); ok {
		inner := data[begin:end]
		if bytes.IndexByte(inner, '#') >= 0 {
			return nil, Part{}, fmt.Errorf("%w: add %q to imports by hand, for there is a comment in it", ErrForm, pattern)
		}
		last := begin + len(bytes.TrimRight(inner, " \t\r\n"))
		text := strconv.Quote(pattern)
		switch {
		case last == begin: // it is empty
		case data[last-1] == ',':
			text = " " + text + ","
		default:
			text = ", " + text
		}
		return splice(data, last, last, text), Part{Kind: Import, Text: text}, nil
	}
	at := 0
	if v := versionLine.FindIndex(data[:top(data)]); v != nil {
		at = v[1]
	}
	line := fmt.Sprintf("imports = [%q] # by eci install\n", pattern)
	return splice(data, at, at, line), Part{Kind: Lines, Text: line}, nil
}

// importsArray finds what is between the brackets of imports.
func importsArray(data []byte) (begin, end int, ok bool) {
	at := importsKey.FindIndex(data)
	if at == nil || firstTable.Match(data[:at[0]]) {
		return 0, 0, false
	}
	quote := byte(0)
	for i := at[1]; i < len(data); i++ {
		switch c := data[i]; {
		case quote != 0:
			if c == '\\' && quote == '"' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == ']':
			return at[1], i, true
		}
	}
	return 0, 0, false
}

// addsImport finds out whether a text means what another one did, and an import more.
func addsImport(before, after []byte, pattern string) error {
	var old, new map[string]any
	if err := toml.Unmarshal(before, &old); err != nil {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	if err := toml.Unmarshal(after, &new); err != nil {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	imports, _ := new["imports"].([]any)
	was, _ := old["imports"].([]any)
	if n := len(imports); n != len(was)+1 || imports[n-1] != pattern {
		return fmt.Errorf("%w: add %q to imports by hand", ErrForm, pattern)
	}
	delete(new, "imports")
	delete(old, "imports")
	if !reflect.DeepEqual(old, new) {
		return fmt.Errorf("%w: it would mean something else; add %q to imports by hand", ErrForm, pattern)
	}
	return nil
}

// removeImport takes an element out again.
func removeImport(data []byte, p Part) ([]byte, error) {
	begin, end, ok := importsArray(data)
	if !ok || bytes.Count(data[begin:end], []byte(p.Text)) != 1 {
		return nil, fmt.Errorf("%w: imports lacks the element%s", ErrEdited, p.Text)
	}
	at := begin + bytes.Index(data[begin:end], []byte(p.Text))
	return splice(data, at, at+len(p.Text), ""), nil
}
