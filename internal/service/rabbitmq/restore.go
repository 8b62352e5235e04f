package rabbitmq

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"upkeep/internal/service"
)

// Restore imports the definitions. What the copy does not hold stays: deleting a
// queue would delete its messages. A queue or exchange that is there already keeps
// its properties, which RabbitMQ cannot change; Verify names both.
func (in *Instance) Restore(ctx context.Context, c service.Copy, sel service.Selection, r service.Report) error {
	if !sel.All() {
		return fmt.Errorf("restore %q alone of the definitions: %w", sel.Only, service.ErrUnsupported)
	}
	content, _, err := fromCopy(ctx, c)
	if err != nil {
		return err
	}
	if _, err := in.call(ctx, http.MethodPost, content, "definitions"); err != nil {
		return fmt.Errorf("import the definitions: %w", err)
	}
	r.Add(int64(len(content)), int64(len(content)))
	return nil
}

// Verify compares the definitions of the broker with those of the copy.
func (in *Instance) Verify(ctx context.Context, c service.Copy, _ service.Report) (service.Verdict, error) {
	return in.verify(ctx, c, func(string, string) bool { return false })
}

// verify leaves out what ours says belongs to a scratch node itself.
func (in *Instance) verify(ctx context.Context, c service.Copy, ours func(class, name string) bool) (v service.Verdict, err error) {
	_, want, err := fromCopy(ctx, c)
	if err != nil {
		return v, err
	}
	_, got, err := in.export(ctx)
	if err != nil {
		return v, err
	}
	for _, class := range slices.Sorted(maps.Keys(classes())) {
		present := slices.DeleteFunc(got[class], func(i item) bool { return ours(class, i.name) })
		v.Set(class, int64(len(present)))
		compare(&v, class, want[class], present)
	}
	return v, nil
}

// compare names what differs, a few of each sort.
func compare(v *service.Verdict, class string, want, got []item) {
	promised, there := byName(want), byName(got)
	var missing, extra, differ []string
	for _, name := range slices.Sorted(maps.Keys(promised)) {
		switch text, has := there[name]; {
		case !has:
			missing = append(missing, name)
		case text != promised[name]:
			differ = append(differ, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(there)) {
		if _, has := promised[name]; !has {
			extra = append(extra, name)
		}
	}
	if len(missing) > 0 {
		v.Crit("definitions-missing", class, examples(class, missing))
	}
	if len(differ) > 0 {
		v.Crit("definitions-differ", class, examples(class, differ))
	}
	if len(extra) > 0 {
		v.Crit("definitions-extra", class, examples(class, extra))
	}
}

func byName(items []item) map[string]string {
	all := map[string]string{}
	for _, i := range items {
		all[i.name] += string(i.text)
	}
	return all
}

func examples(class string, names []string) service.Args {
	const shown = 10
	return service.Args{"class": class, "count": len(names), "examples": names[:min(len(names), shown)]}
}

// readme tells how to use the file with stock tools. Its arguments: version, time,
// users, queues, bindings.
const readme = `# Definitions of a RabbitMQ broker

definitions.json holds the definitions of a RabbitMQ %[1]s broker as they were at %[2]s: %[3]d users
with the hashes of their passwords, %[4]d queues, %[5]d bindings, and virtual hosts, permissions,
policies, parameters and exchanges.

**No message is in this copy.** What waited in the queues is not here and cannot be had back from
here; whatever keeps the work itself (a table, an outbox) has to send it again.

Queues that vanish with their consumers and exchanges that are not durable are left out: those who
use them make them.

1. Look at it before: jq '.queues[].name' definitions.json
2. Import it into a broker that runs: rabbitmqctl import_definitions definitions.json
   or over HTTP: curl -u ADMIN -X POST -H 'Content-Type: application/json' --data-binary @definitions.json http://HOST:15672/api/definitions
3. Users have their old passwords again. What the broker had besides stays.
4. Compare: rabbitmqctl export_definitions - | jq .
`

// Extract gives the definitions as the file that RabbitMQ imports.
func (in *Instance) Extract(ctx context.Context, c service.Copy, sel service.Selection, put func(*tar.Header, io.Reader) error) error {
	if !sel.All() {
		return fmt.Errorf("cut %q out of %s: %w", sel.Only, partName, service.ErrUnsupported)
	}
	content, _, err := fromCopy(ctx, c)
	if err != nil {
		return err
	}
	m := c.Manifest()
	about := fmt.Sprintf(readme, m.Version, m.Taken.UTC().Format("2006-01-02 15:04:05 UTC"),
		m.Counts["users"], m.Counts["queues"], m.Counts["bindings"])
	for name, text := range map[string]string{"README.md": about, partName: string(content)} {
		h := &tar.Header{Name: name, Mode: 0o600, Size: int64(len(text)), ModTime: m.Taken}
		if err := put(h, strings.NewReader(text)); err != nil {
			return err
		}
	}
	return nil
}
