// Package table prints the results as one Markdown table and judges them.
package table

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Unit says how a value is written.
type Unit string

// The units of the tables.
const (
	Seconds Unit = "s"
	Bytes   Unit = "MB" // decimal megabytes, as disks are sold
	Memory  Unit = "MiB"
	Share   Unit = "%"
)

// Row is one measured quantity of all tools. Values are seconds, bytes or
// shares; a tool
// that is missing was not measured.
type Row struct {
	Work, Measure string
	Unit          Unit
	Values        map[string]float64
	Reach         []Limit
}

// Limit is what Subject has to reach: at most Factor times a peer's value, or an
// absolute value when Peer is empty.
type Limit struct {
	Peer   string
	Factor float64
}

// Subject is the tool that the limits are for.
const Subject = "upkeep"

// Write prints the rows with one column per tool. Nothing is judged when Subject is
// not among the tools.
func Write(w io.Writer, tools []string, rows []Row) error {
	head := slices.Concat([]string{"work", "measure"}, tools, []string{"reach", "measured", "met"})
	judged := slices.Contains(tools, Subject)
	var text strings.Builder
	line(&text, head)
	line(&text, slices.Repeat([]string{"---"}, len(head)))
	for _, r := range rows {
		cells := []string{r.Work, r.Measure}
		for _, tool := range tools {
			cells = append(cells, r.cell(tool))
		}
		if !judged {
			r.Reach = nil
		}
		reach, measured, met := r.judge()
		line(&text, append(cells, reach, measured, met))
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func line(w *strings.Builder, cells []string) {
	w.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func (r Row) cell(tool string) string {
	value, there := r.Values[tool]
	if !there {
		return "–"
	}
	return r.Unit.format(value)
}

func (u Unit) format(value float64) string {
	switch u {
	case Bytes:
		return fmt.Sprintf("%.1f MB", value/1e6)
	case Share:
		return fmt.Sprintf("%.1f %%", value*100)
	case Memory:
		return fmt.Sprintf("%.0f MiB", value/(1<<20))
	}
	switch {
	case value < 0.001:
		return fmt.Sprintf("%.2f ms", value*1000)
	case value < 1:
		return fmt.Sprintf("%.3f s", value)
	}
	return fmt.Sprintf("%.2f s", value)
}

// judge returns what is to reach, what was measured and whether that is met. A
// limit whose values are missing is not met: nobody has shown it.
func (r Row) judge() (reach, measured, met string) {
	if len(r.Reach) == 0 {
		return "", "", ""
	}
	var wants, have []string
	good := true
	for _, l := range r.Reach {
		wants = append(wants, l.want(r.Unit))
		ratio, ok := l.holds(r.Values)
		have = append(have, ratio)
		good = good && ok
	}
	met = "**no**"
	if good {
		met = "yes"
	}
	return strings.Join(wants, ", "), strings.Join(have, ", "), met
}

func (l Limit) want(u Unit) string {
	if l.Peer == "" {
		return "≤ " + u.format(l.Factor)
	}
	return fmt.Sprintf("≤ %.4g× %s", l.Factor, l.Peer)
}

func (l Limit) holds(values map[string]float64) (string, bool) {
	mine, measured := values[Subject]
	if !measured {
		return "not measured", false
	}
	if l.Peer == "" {
		return "", mine <= l.Factor
	}
	theirs, measured := values[l.Peer]
	if !measured || theirs == 0 {
		return "not measured", false
	}
	return fmt.Sprintf("%.2f×", mine/theirs), mine <= l.Factor*theirs
}
