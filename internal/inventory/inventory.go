// Package inventory turns a declaration into targets that can be opened: with
// their surroundings, in dependency order, selectable by name. It connects to
// nothing.
package inventory

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/internal/config"
	"upkeep/internal/service"
)

// Target is one declared service, ready to be opened.
type Target struct {
	Name  string
	Kind  service.Kind
	After []string // targets that must be up, or restored, before this one
	Limit int64    // bytes per second for copies; 0 = none
	// RunsIn is where its server runs.
	RunsIn service.Place
	// Stops says that a copy of it stops the service.
	Stops service.Stops

	env    service.Env
	config any
}

// Open makes the target's instance. It never connects; whoever opens closes.
func (t Target) Open() (service.Instance, error) { return t.Kind.Open(t.env, t.config) }

// Metrics are the families of samples that the target may give, as it is declared.
func (t Target) Metrics() []service.Metric {
	return slices.Concat(t.Kind.Metrics(), service.DeclaredMetrics(t.config))
}

// Inventory is one system's targets.
type Inventory struct {
	System  string
	Config  *config.Config
	targets []Target // in dependency order
}

// New resolves a declaration. envOf gives each target its surroundings.
func New(cfg *config.Config, envOf func(target string) service.Env) *Inventory {
	inv := &Inventory{System: cfg.System, Config: cfg}
	for _, s := range inOrder(cfg.Services) {
		env := envOf(s.Name)
		env.RunsIn = s.RunsIn
		env = alsoInside(env)
		inv.targets = append(inv.targets, Target{
			Name: s.Name, Kind: s.Kind, After: s.After, Limit: int64(s.Limit), RunsIn: s.RunsIn, Stops: s.Stops(),
			env: env, config: s.Config,
		})
	}
	return inv
}

// inOrder puts every service behind those it comes after and otherwise keeps the
// order of the file. The loader has refused cycles.
func inOrder(services []config.Service) []config.Service {
	var ordered []config.Service
	placed := map[string]bool{}
	var place func(s config.Service)
	place = func(s config.Service) {
		if placed[s.Name] {
			return
		}
		placed[s.Name] = true
		for _, before := range services {
			if slices.Contains(s.After, before.Name) {
				place(before)
			}
		}
		ordered = append(ordered, s)
	}
	for _, s := range services {
		place(s)
	}
	return ordered
}

// Targets returns every target in dependency order.
func (inv *Inventory) Targets() []Target { return inv.targets }

// Target returns one target by name.
func (inv *Inventory) Target(name string) (Target, bool) {
	i := slices.IndexFunc(inv.targets, func(t Target) bool { return t.Name == name })
	if i < 0 {
		return Target{}, false
	}
	return inv.targets[i], true
}

// peer opens the target that another one names in its declaration.
func (inv *Inventory) peer(name string) (service.Instance, error) {
	t, ok := inv.Target(name)
	if !ok {
		return nil, fmt.Errorf("target %q: %w", name, service.ErrUndeclared)
	}
	return t.Open()
}

// Select returns the named targets in dependency order; no names select all. A
// name may be written SYSTEM/TARGET. An unknown one is an error that lists what
// there is.
func (inv *Inventory) Select(names []string) ([]Target, error) {
	if len(names) == 0 {
		return inv.targets, nil
	}
	wanted := map[string]bool{}
	for _, name := range names {
		short := strings.TrimPrefix(name, inv.System+"/")
		if _, ok := inv.Target(short); !ok {
			return nil, fmt.Errorf("target %q: %w (there are: %s)", name, service.ErrUndeclared, strings.Join(inv.names(), ", "))
		}
		wanted[short] = true
	}
	return slices.DeleteFunc(slices.Clone(inv.targets), func(t Target) bool { return !wanted[t.Name] }), nil
}

func (inv *Inventory) names() []string {
	names := make([]string, len(inv.targets))
	for i, t := range inv.targets {
		names[i] = t.Name
	}
	return names
}

// Waiver says why a finding is accepted. ok is false when no entry of accept:
// names it; expired says that all entries that do have run out.
func (inv *Inventory) Waiver(target, finding string, now time.Time) (why string, expired, ok bool) {
	for _, a := range inv.Config.Accept {
		if a.Finding != finding || a.Target != "" && a.Target != target {
			continue
		}
		if why, ok = a.Why, true; now.Before(a.Until.Time) {
			return why, false, true
		}
	}
	return why, ok, ok
}
