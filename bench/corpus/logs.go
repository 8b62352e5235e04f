package corpus

import (
	"bufio"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
)

// Messages are drawn from the forms under logs/: one file per system, one form
// per line, written after what such systems print. A form is a true group. The
// systems under held/ were written before the engine and never tuned on.
//
//go:embed logs
var logForms embed.FS // constant, as far as Go allows

// LogSystem is one program whose messages are generated.
type LogSystem struct {
	Name  string
	Forms []string
	Held  bool // kept aside: never tuned on
}

// LogSystems returns all systems, those kept aside last.
func LogSystems() ([]LogSystem, error) {
	var all []LogSystem
	for _, folder := range []string{"tuned", "held"} {
		files, err := fs.ReadDir(logForms, path.Join("logs", folder))
		if err != nil {
			return nil, fmt.Errorf("list the forms of messages: %w", err)
		}
		for _, f := range files {
			text, err := logForms.ReadFile(path.Join("logs", folder, f.Name()))
			if err != nil {
				return nil, fmt.Errorf("read the forms of messages: %w", err)
			}
			forms := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
			all = append(all, LogSystem{Name: strings.TrimSuffix(f.Name(), ".txt"), Forms: forms, Held: folder == "held"})
		}
	}
	return all, nil
}

// Messages draws n messages, each with the number of its form. As in real logs,
// few forms make most of the lines: the frequency falls with one over the rank.
func (s LogSystem) Messages(seed uint64, n int) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		rng := rand.New(rand.NewPCG(seed, uint64(len(s.Name))<<32|uint64(len(s.Forms))))
		sum := frequencies(rng, len(s.Forms))
		line := make([]byte, 0, 1024)
		for range n {
			form, _ := slices.BinarySearch(sum, rng.Float64()*sum[len(sum)-1])
			line = fill(line[:0], s.Forms[form], rng)
			if !yield(form, line) {
				return
			}
		}
	}
}

// frequencies gives every form its rank by chance and returns running sums.
func frequencies(rng *rand.Rand, n int) []float64 {
	sums, sum := make([]float64, n), 0.0
	for i, rank := range rng.Perm(n) {
		sum += 1 / float64(rank+1)
		sums[i] = sum
	}
	return sums
}

// fill writes the form with its slots {name} filled. {?text} is there every
// other time.
func fill(b []byte, form string, rng *rand.Rand) []byte {
	for {
		open := strings.IndexByte(form, '{')
		if open < 0 {
			return append(b, form...)
		}
		b = append(b, form[:open]...)
		name, rest := slot(form[open:])
		switch {
		case strings.HasPrefix(name, "?"):
			if rng.IntN(2) == 0 {
				b = fill(b, name[1:], rng)
			}
		case logSlots(name) == nil:
			b, rest = append(b, '{'), form[open+1:] // a brace of the message itself
		default:
			b = logSlots(name)(b, rng)
		}
		form = rest
	}
}

// slot cuts the text between a brace and the one that closes it.
func slot(form string) (name, rest string) {
	depth := 0
	for i := range len(form) {
		switch form[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return form[1:i], form[i+1:]
			}
		}
	}
	return form[1:], ""
}

// SaveMessages writes FILE with the messages and FILE.groups.
func SaveMessages(file string, systems []LogSystem, seed uint64, n int) error {
	messages, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("keep messages: %w", err)
	}
	groups, err := os.Create(file + ".groups")
	if err != nil {
		return errors.Join(fmt.Errorf("keep groups: %w", err), messages.Close())
	}
	err = WriteMessages(messages, groups, systems, seed, n)
	return errors.Join(err, messages.Close(), groups.Close())
}

// WriteMessages writes n messages of all systems, in stretches of one system as
// when files are read one after the other, and their true groups beside them.
func WriteMessages(messages, groups io.Writer, systems []LogSystem, seed uint64, n int) error {
	lines, labels := bufio.NewWriterSize(messages, 1<<18), bufio.NewWriterSize(groups, 1<<18)
	const stretch = 5000
	for round := 0; n > 0; round++ {
		s := systems[round%len(systems)]
		for form, line := range s.Messages(seed+uint64(round/len(systems)), min(stretch, n)) {
			fmt.Fprintf(lines, "%s\n", line) // the writers keep their first error for Flush
			fmt.Fprintf(labels, "%s/%d\n", s.Name, form)
		}
		n -= stretch
	}
	if err := lines.Flush(); err != nil {
		return fmt.Errorf("write messages: %w", err)
	}
	if err := labels.Flush(); err != nil {
		return fmt.Errorf("write groups: %w", err)
	}
	return nil
}
