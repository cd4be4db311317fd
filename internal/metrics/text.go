package metrics

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Family is a metric with all its samples.
type Family struct {
	// Name, Help and Type are those of the exposition format; the type is "gauge" or
	// "counter".
	Name, Help, Type string
	// Samples may be none: then the metric is known, and has no value.
	Samples []Sample
}

// Sample is one value.
type Sample struct {
	// Labels are pairs of a name and a value, in their order.
	Labels []string
	Value  float64
}

// ContentType is that of the text format.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

var (
	escapeHelp  = strings.NewReplacer("\\", `\\`, "\n", `\n`)
	escapeLabel = strings.NewReplacer("\\", `\\`, "\n", `\n`, `"`, `\"`)
)

// Write writes families in the text format 0.0.4.
func Write(w io.Writer, families []Family) error {
	b := bufio.NewWriter(w)
	for _, f := range families {
		fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n", f.Name, escapeHelp.Replace(f.Help), f.Name, f.Type)
		for _, s := range f.Samples {
			b.WriteString(f.Name)
			for i := 0; i+1 < len(s.Labels); i += 2 {
				b.WriteByte("{,"[min(i, 1)])
				fmt.Fprintf(b, `%s="%s"`, s.Labels[i], escapeLabel.Replace(s.Labels[i+1]))
			}
			if len(s.Labels) > 1 {
				b.WriteByte('}')
			}
			b.WriteString(" " + strconv.FormatFloat(s.Value, 'g', -1, 64) + "\n")
		}
	}
	return b.Flush()
}
