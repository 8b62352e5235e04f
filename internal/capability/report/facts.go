package report

import (
	"strings"

	"upkeep/internal/journal"
)

// telling are the facts that say most of a target that is fine, in the order in
// which they are shown. Kinds name their facts alike, so no kind is known here.
func telling() []string {
	return []string{"size_bytes", "files", "keys", "used_memory", "connections", "status", "took_s", "tls_expires",
		"running", "rss_bytes", "fullest", "memory_available_bytes", "load15", "newest"}
}

// factsAtMost keeps a target to one quiet line.
const factsAtMost = 3

// facts is what is worth knowing of a target at a glance: "87.3 MB, 1 of 97
// connections".
func (t Text) facts(target journal.Target) string {
	said := args{}
	for name, value := range target.Facts {
		said[name] = value
	}
	if mount, used := fullest(target.Facts["mounts"]); mount != "" {
		said["fullest"], said["mount"] = used, mount
	}
	var parts []any
	for _, name := range telling() {
		if said[name] == nil || len(parts) == factsAtMost {
			continue
		}
		parts = append(parts, t.say("fact-"+name, said))
	}
	return t.say("list", args{"of": parts})
}

// fullest finds the mount with the least room, as the share that is used.
func fullest(mounts any) (name string, used float64) {
	all, _ := mounts.(map[string]any)
	for mount, about := range all {
		facts, _ := about.(map[string]any)
		n, known := number(facts["used"])
		if known && (name == "" || n > used || n == used && mount < name) {
			name, used = mount, n
		}
	}
	return name, used
}

// kind names the kind with its version: "postgres 15.18".
func (t Text) kind(target journal.Target) string {
	if target.Kind == "" {
		return t.say("own-kind", nil)
	}
	version, _ := target.Facts["version"].(string)
	return strings.TrimSpace(target.Kind + " " + t.clean(version))
}

// clean escapes what would drive the reader's terminal, as the catalogue does with
// arguments.
func (t Text) clean(text string) string { return t.say("text", args{"text": text}) }

// counts are a target's countable facts, as a drill or a backup left them.
func counts(target journal.Target) map[string]int64 {
	found := map[string]int64{}
	for _, name := range countable() {
		if n, ok := number(target.Facts[name]); ok {
			found[name] = int64(n)
		}
	}
	return found
}
