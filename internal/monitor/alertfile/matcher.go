package alertfile

import (
	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/pkg/labels"
)

// Matcher reads one matcher as Alertmanager does: alertname="X", team=~"a|b".
func Matcher(text string) (*labels.Matcher, error) {
	speakUTF8()
	return compat.Matcher(text, "upkeep")
}
