package serve

import (
	"maps"
	"strings"

	"upkeep/internal/monitor/alerts"
	"upkeep/internal/monitor/series"
)

// spoken is the ending of annotations in a language other than English, which rules that come
// with upkeep have beside it.
const spoken = "_zh"

// ruled makes of what a rule says what Alertmanager takes, in the reader's language.
func ruled(language string, batch []series.Alert) []alerts.Alert {
	told := make([]alerts.Alert, len(batch))
	for i, a := range batch {
		told[i] = alerts.Alert{Labels: a.Labels, Annotations: inLanguage(language, a.Annotations),
			StartsAt: a.StartsAt, EndsAt: a.EndsAt, GeneratorURL: a.Generator}
	}
	return told
}

func inLanguage(language string, annotations map[string]string) map[string]string {
	said := maps.Clone(annotations)
	for name, text := range annotations {
		base, other := strings.CutSuffix(name, spoken)
		if !other || annotations[base] == "" {
			continue
		}
		if delete(said, name); language == strings.TrimPrefix(spoken, "_") {
			said[base] = text
		}
	}
	return said
}
