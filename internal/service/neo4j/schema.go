package neo4j

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	driver "github.com/neo4j/neo4j-go-driver/v5/neo4j"
	"github.com/zeebo/xxh3"
)

// rule is a constraint or an index, as the server describes it.
type rule struct {
	Name       string   `json:"name"`
	Constraint bool     `json:"constraint,omitempty"`
	Type       string   `json:"type"`   // UNIQUENESS, RANGE, TEXT, LOOKUP …
	Entity     string   `json:"entity"` // NODE or RELATIONSHIP
	Of         []string `json:"of,omitempty"`
	Properties []string `json:"properties,omitempty"`
	Create     string   `json:"create"` // the statement that makes it

	state   string // of an index
	failure string
	percent float64
	owner   string // the constraint that an index belongs to
}

// definition is the statement without the name: two rules that do the same are the
// same, whatever they are called.
func (r rule) definition() string {
	return strings.Replace(strings.TrimPrefix(r.Create, "CREATE "), quoted(r.Name)+" ", "", 1)
}

// quoted is a name as the server itself quotes it in a statement.
func quoted(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

func (r rule) onNodes(label string, properties []string) bool {
	return r.Entity == "NODE" && slices.Equal(r.Of, []string{label}) && slices.Equal(r.Properties, properties)
}

// schema is all rules of a database, constraints first, by definition.
type schema []rule

const (
	showConstraints = "SHOW CONSTRAINTS YIELD name, type, entityType, labelsOrTypes, properties, createStatement"
	showIndexes     = "SHOW INDEXES YIELD name, type, entityType, labelsOrTypes, properties, createStatement, state, failureMessage, populationPercent, owningConstraint"
)

func (l *link) schema(ctx context.Context) (schema, error) {
	var all schema
	for _, show := range []string{showConstraints, showIndexes} {
		err := l.read(ctx, show, nil, func(r *driver.Record) error {
			all = append(all, ruleOf(r, show == showConstraints))
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("list constraints and indexes: %w", err)
		}
	}
	slices.SortFunc(all, func(a, b rule) int { return strings.Compare(a.definition(), b.definition()) })
	return all, nil
}

func ruleOf(r *driver.Record, constraint bool) rule {
	out := rule{Constraint: constraint, Of: texts(r.Values[3]), Properties: texts(r.Values[4])}
	for i, to := range map[int]*string{0: &out.Name, 1: &out.Type, 2: &out.Entity, 5: &out.Create} {
		*to, _ = r.Values[i].(string)
	}
	if !constraint {
		out.state, _ = r.Values[6].(string)
		out.failure, _ = r.Values[7].(string)
		out.percent, _ = r.Values[8].(float64)
		out.owner, _ = r.Values[9].(string)
	}
	return out
}

// texts reads a list of strings; null is none.
func texts(value any) (all []string) {
	list, _ := value.([]any)
	for _, one := range list {
		text, _ := one.(string)
		all = append(all, text)
	}
	return all
}

// own leaves out the indexes that come and go with their constraint.
func (s schema) own() schema {
	return slices.DeleteFunc(slices.Clone(s), func(r rule) bool { return r.owner != "" })
}

// count returns how many rules are constraints and how many indexes stand for
// themselves.
func (s schema) count() (constraints, indexes int64) {
	for _, r := range s.own() {
		if r.Constraint {
			constraints++
		} else {
			indexes++
		}
	}
	return constraints, indexes
}

func (s schema) fingerprint() string {
	h := xxh3.New()
	for _, r := range s.own() {
		_, _ = h.WriteString(r.definition() + "\n") // a hash takes everything
	}
	return hex.EncodeToString(h.Sum(nil))
}

// unique is the uniqueness constraint on exactly these properties, if there is one.
func (s schema) unique(label string, properties []string) (rule, bool) {
	return s.first(func(r rule) bool {
		return r.Constraint && (r.Type == "UNIQUENESS" || r.Type == "NODE_PROPERTY_UNIQUENESS" || r.Type == "NODE_KEY") && r.onNodes(label, properties)
	})
}

// ranged is a range index on exactly these properties; that of a constraint counts.
func (s schema) ranged(label string, properties []string) (rule, bool) {
	return s.first(func(r rule) bool { return !r.Constraint && r.Type == "RANGE" && r.onNodes(label, properties) })
}

// inTheWay is an index that keeps a uniqueness constraint from being made.
func (s schema) inTheWay(label string, properties []string) (rule, bool) {
	r, there := s.ranged(label, properties)
	return r, there && r.owner == ""
}

func (s schema) first(is func(rule) bool) (rule, bool) {
	if i := slices.IndexFunc(s, is); i >= 0 {
		return s[i], true
	}
	return rule{}, false
}
