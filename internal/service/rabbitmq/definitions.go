package rabbitmq

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"upkeep/internal/service"
)

// classes are what definitions consist of, and which fields name one of them. A
// binding has no name: all of it counts.
func classes() map[string][]string {
	return map[string][]string{
		"users": {"name"}, "vhosts": {"name"},
		"permissions": {"user", "vhost"}, "topic_permissions": {"user", "vhost", "exchange"},
		"parameters": {"vhost", "component", "name"}, "global_parameters": {"name"},
		"policies": {"vhost", "name"}, "queues": {"vhost", "name"}, "exchanges": {"vhost", "name"},
		"bindings": {"vhost", "source", "destination", "destination_type", "routing_key", "arguments"},
	}
}

// item is one definition in a form that does not depend on the order of its keys.
type item struct {
	name string
	text []byte // canonical; users carry password hashes, so it is never shown
}

// definitions are those of a whole broker, by class and in order of their names.
type definitions map[string][]item

// parse reads what the broker exports or a copy holds.
func parse(content []byte) (definitions, error) {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(content, &doc); err != nil {
		return nil, fmt.Errorf("read the definitions: %w: %w", err, service.ErrDamaged)
	}
	d := definitions{}
	for class, key := range classes() {
		var list []map[string]any
		if text, has := doc[class]; has {
			numbers := json.NewDecoder(bytes.NewReader(text))
			numbers.UseNumber()
			if err := numbers.Decode(&list); err != nil {
				return nil, fmt.Errorf("read the %s of the definitions: %w: %w", class, err, service.ErrDamaged)
			}
		}
		items, err := canonical(list, key)
		if err != nil {
			return nil, fmt.Errorf("read the %s of the definitions: %w", class, err)
		}
		d[class] = items
	}
	return d, nil
}

func canonical(list []map[string]any, key []string) ([]item, error) {
	items := []item{}
	for _, fields := range list {
		text, err := json.Marshal(fields) // sorts the keys
		if err != nil {
			return nil, err
		}
		items = append(items, item{nameOf(fields, key), text})
	}
	slices.SortFunc(items, func(a, b item) int {
		return cmp.Or(strings.Compare(a.name, b.name), bytes.Compare(a.text, b.text))
	})
	// An import makes a binding with numbers in its arguments again, as one that looks the
	// same and routes the same.
	return slices.CompactFunc(items, func(a, b item) bool { return bytes.Equal(a.text, b.text) }), nil
}

// nameOf joins the fields that tell one definition from the others of its class.
func nameOf(fields map[string]any, key []string) string {
	var parts []string
	for _, field := range key {
		switch value := fields[field].(type) {
		case nil:
		case string:
			parts = append(parts, value)
		default:
			if text, err := json.Marshal(value); err == nil && string(text) != "{}" {
				parts = append(parts, string(text))
			}
		}
	}
	return strings.Join(parts, " ")
}

// digest is over the canonical items of one class.
func digest(items []item) string {
	sum := sha256.New()
	for _, one := range items {
		sum.Write(one.text)
		sum.Write([]byte{'\n'})
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func (d definitions) counts() map[string]int64 {
	counts := map[string]int64{}
	for class, items := range d {
		counts[class] = int64(len(items))
	}
	return counts
}

func (d definitions) entries() []service.Entry {
	var all []service.Entry
	for class, items := range d {
		all = append(all, service.Entry{Name: class, Count: int64(len(items)), Digest: digest(items)})
	}
	slices.SortFunc(all, func(a, b service.Entry) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// export reads the definitions of the broker and leaves out what does not outlive its
// users or the next start: queues that vanish with their consumers, exchanges that
// are not durable, and the bindings of both. They come and go between two looks.
func (in *Instance) export(ctx context.Context) (content []byte, d definitions, err error) {
	raw, err := in.call(ctx, http.MethodGet, nil, "definitions")
	if err != nil {
		return nil, nil, fmt.Errorf("export the definitions: %w", err)
	}
	if content, err = lasting(raw); err != nil {
		return nil, nil, err
	}
	d, err = parse(content)
	return content, d, err
}

// passing is what is read of a definition to tell whether it lasts.
type passing struct {
	Name            string         `json:"name"`
	VHost           string         `json:"vhost"`
	Durable         bool           `json:"durable"`
	AutoDelete      bool           `json:"auto_delete"`
	Arguments       map[string]any `json:"arguments"`
	Source          string         `json:"source"`
	Destination     string         `json:"destination"`
	DestinationType string         `json:"destination_type"`
}

func lasting(raw []byte) ([]byte, error) {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("read the exported definitions: %w: %w", err, service.ErrUnreachable)
	}
	gone := map[string]bool{} // "queue VHOST NAME"
	keep := func(class string, lasts func(passing) bool) error {
		var all []json.RawMessage
		if err := json.Unmarshal(doc[class], &all); err != nil {
			return fmt.Errorf("read the exported %s: %w: %w", class, err, service.ErrUnreachable)
		}
		kept := []json.RawMessage{}
		for _, one := range all {
			var p passing
			if err := json.Unmarshal(one, &p); err != nil {
				return fmt.Errorf("read one of the exported %s: %w: %w", class, err, service.ErrUnreachable)
			}
			if lasts(p) {
				kept = append(kept, one)
			} else {
				gone[strings.TrimSuffix(class, "s")+" "+p.VHost+" "+p.Name] = true
			}
		}
		var err error
		doc[class], err = json.Marshal(kept)
		return err
	}
	for _, step := range []struct {
		class string
		lasts func(passing) bool
	}{
		{"queues", func(p passing) bool {
			_, expires := p.Arguments["x-expires"]
			return p.Durable && !p.AutoDelete && !expires
		}},
		{"exchanges", func(p passing) bool { return p.Durable && !p.AutoDelete }},
		{"bindings", func(p passing) bool {
			return !gone["exchange "+p.VHost+" "+p.Source] && !gone[p.DestinationType+" "+p.VHost+" "+p.Destination]
		}},
	} {
		if err := keep(step.class, step.lasts); err != nil {
			return nil, err
		}
	}
	return json.Marshal(doc)
}
