package alerts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Silence holds back every alert that all its matchers match.
type Silence struct {
	ID       string    `json:"id"`
	Matchers []string  `json:"matchers"` // alertname="X", team=~"a|b", severity!="warning"
	Starts   time.Time `json:"starts_at"`
	Ends     time.Time `json:"ends_at"`
	By       string    `json:"by"`
	Comment  string    `json:"comment"`
	State    string    `json:"state"` // active, pending or expired
}

// ErrNoSilence is returned for an ID that no silence has.
var ErrNoSilence = errors.New("there is no such silence")

// Silence adds a silence and returns its ID; one with an ID is changed.
func (a *Alertmanager) Silence(ctx context.Context, s Silence) (string, error) {
	set := &silencepb.MatcherSet{}
	for _, text := range s.Matchers {
		m, err := compat.Matcher(text, "upkeep")
		if err != nil {
			return "", fmt.Errorf("matcher %s: %w", text, err)
		}
		set.Matchers = append(set.Matchers, &silencepb.Matcher{Type: matcherTypes[m.Type], Name: m.Name, Pattern: m.Value})
	}
	pb := &silencepb.Silence{Id: s.ID, MatcherSets: []*silencepb.MatcherSet{set}, StartsAt: timestamppb.New(s.Starts), EndsAt: timestamppb.New(s.Ends),
		CreatedBy: s.By, Comment: s.Comment}
	if err := a.silences.Set(ctx, pb); err != nil {
		return "", fmt.Errorf("add a silence: %w", err)
	}
	return pb.Id, nil
}

var matcherTypes = map[labels.MatchType]silencepb.Matcher_Type{labels.MatchEqual: silencepb.Matcher_EQUAL, labels.MatchNotEqual: silencepb.Matcher_NOT_EQUAL,
	labels.MatchRegexp: silencepb.Matcher_REGEXP, labels.MatchNotRegexp: silencepb.Matcher_NOT_REGEXP}

var signs = map[silencepb.Matcher_Type]labels.MatchType{silencepb.Matcher_EQUAL: labels.MatchEqual, silencepb.Matcher_NOT_EQUAL: labels.MatchNotEqual,
	silencepb.Matcher_REGEXP: labels.MatchRegexp, silencepb.Matcher_NOT_REGEXP: labels.MatchNotRegexp}

// Expire ends a silence.
func (a *Alertmanager) Expire(ctx context.Context, id string) error {
	err := a.silences.Expire(ctx, id)
	if errors.Is(err, silence.ErrNotFound) {
		return fmt.Errorf("%s: %w", id, ErrNoSilence)
	}
	return err
}

// Silences lists all that are kept, those that end last first.
func (a *Alertmanager) Silences(ctx context.Context) ([]Silence, error) {
	found, _, err := a.silences.Query(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the silences: %w", err)
	}
	all := []Silence{}
	for _, pb := range found {
		all = append(all, a.silenceOf(pb))
	}
	slices.SortFunc(all, func(x, y Silence) int { return y.Ends.Compare(x.Ends) })
	return all, nil
}

func (a *Alertmanager) silenceOf(pb *silencepb.Silence) Silence {
	s := Silence{ID: pb.Id, Starts: pb.StartsAt.AsTime(), Ends: pb.EndsAt.AsTime(), By: pb.CreatedBy, Comment: pb.Comment, State: "active"}
	switch now := a.opt.Now(); {
	case now.Before(s.Starts):
		s.State = "pending"
	case !now.Before(s.Ends):
		s.State = "expired"
	}
	for _, set := range pb.MatcherSets {
		for _, m := range set.Matchers {
			s.Matchers = append(s.Matchers, (&labels.Matcher{Type: signs[m.Type], Name: m.Name, Value: m.Pattern}).String())
		}
	}
	return s
}
