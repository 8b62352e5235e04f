package alerts

import (
	"slices"
	"time"

	amcommon "github.com/prometheus/alertmanager/config/common"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"
)

// Labels that no rule of a user sets: routes of our own go by them.
const (
	canaryLabel  = "upkeep_canary"  // which canary it is
	throughLabel = "upkeep_through" // the receiver that is to tell of another's failure
)

// landingName is the receiver at which every canary arrives.
const landingName = "upkeep-canary"

// extend adds our own routes before the user's. Each begins with a label that only
// upkeep sets, so every other alert goes the ways of the file as it is. It returns the
// name of the receiver for canaries.
//
// A canary takes two ways: to a receiver of ours, and through a copy of the user's whole
// tree. The copy has the user's matchers, receivers and muted times, but groups of its
// own: in the user's groups a canary would make a message of alerts that were sent
// already. See Canary for what its arrival shows.
func (a *Alertmanager) extend(conf *config.Config) (landing string) {
	ours := []*config.Route{aside(landingName, canaryLabel, ""), a.shadow(conf.Route)}
	ours[0].Continue = true
	for _, r := range conf.Receivers {
		ours = append(ours, aside(r.Name, throughLabel, r.Name))
	}
	conf.Receivers = append(slices.Clone(conf.Receivers), config.Receiver{Name: landingName})
	conf.Route.Routes = append(ours, conf.Route.Routes...)
	return landingName
}

// aside is a route for alerts with a label of ours; value "" takes any.
func aside(receiver, label, value string) *config.Route {
	kind := labels.MatchEqual
	if value == "" {
		kind = labels.MatchNotEqual
	}
	m, err := labels.NewMatcher(kind, label, value)
	if err != nil {
		panic(err) // only a regular expression can be wrong
	}
	return &config.Route{Receiver: receiver, Matchers: amcommon.Matchers{m}, GroupBy: []model.LabelName{model.AlertNameLabel, canaryLabel},
		GroupWait: pause(time.Second), GroupInterval: pause(time.Minute), RepeatInterval: pause(4 * time.Hour)}
}

func pause(d time.Duration) *model.Duration { return (*model.Duration)(&d) }

// shadow copies a tree for canaries.
func (a *Alertmanager) shadow(root *config.Route) *config.Route {
	top := aside(root.Receiver, canaryLabel, "")
	for _, r := range root.Routes {
		top.Routes = append(top.Routes, copied(r))
	}
	return top
}

// copied copies a route. It waits for no other alert of a group: a canary is alone.
func copied(r *config.Route) *config.Route {
	c := *r
	c.GroupBy, c.GroupByAll = []model.LabelName{canaryLabel}, false
	c.GroupWait, c.GroupInterval, c.RepeatInterval = pause(time.Second), pause(time.Minute), pause(4*time.Hour)
	c.Routes = nil
	for _, child := range r.Routes {
		c.Routes = append(c.Routes, copied(child))
	}
	return &c
}
