package control

import (
	"context"
	"slices"
	"time"

	"upkeep/internal/service"
)

// Diagnosis is what upkeep doctor tells of the tool itself.
type Diagnosis struct {
	Config       string       `json:"config"`
	State        string       `json:"state"`
	Repository   string       `json:"repository"`
	PasswordFile string       `json:"password_file,omitempty"`
	Scratch      string       `json:"scratch"`
	ScratchFree  int64        `json:"scratch_free_bytes"`
	Serve        *ServeView   `json:"serve"` // null: it does not run
	Needs        []TargetNeed `json:"needs"`
}

// ServeView is the last sign of life of upkeep serve. One that stopped in good order has
// taken it away.
type ServeView struct {
	Alive   bool      `json:"alive"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	Last    time.Time `json:"last"`
	Version string    `json:"version"`
}

// TargetNeed is a program that a target's capability needs.
type TargetNeed struct {
	Target string `json:"target"`
	service.Need
}

// Doctor looks at what upkeep itself needs. It changes nothing.
func (a *App) Doctor(ctx context.Context) (Diagnosis, error) {
	d := Diagnosis{Config: a.Config.File, State: a.stateDir, Repository: a.RepositoryPath(),
		PasswordFile: a.PasswordFile(), Scratch: a.scratch.Base(), Needs: []TargetNeed{}}
	free, err := freeBytes(d.Scratch)
	if err != nil {
		return d, err
	}
	d.ScratchFree = free
	if d.Serve, err = a.serving(); err != nil {
		return d, err
	}
	for _, t := range a.Inventory.Targets() {
		in, err := t.Open()
		if err != nil {
			return d, err
		}
		for _, n := range needsOf(ctx, t.Kind, in) {
			d.Needs = append(d.Needs, TargetNeed{t.Name, n})
		}
		if err := in.Close(); err != nil {
			return d, err
		}
	}
	return d, nil
}

func (a *App) serving() (*ServeView, error) {
	last, alive, err := a.lastBeat()
	if err != nil || last == nil {
		return nil, err
	}
	now := a.opt.Now()
	return &ServeView{alive, last.PID, last.Started.In(now.Location()), last.At.In(now.Location()), last.Version}, nil
}

// needsOf are the programs of a target. What it copies or proves without any, upkeep
// does itself.
func needsOf(ctx context.Context, kind service.Kind, in service.Instance) (needs []service.Need) {
	if p, ok := in.(service.Prober); ok {
		needs = p.Probe(ctx)
	}
	for _, use := range []string{"backup", "drill"} {
		serves := func(n service.Need) bool { return n.Use == use }
		if kind.Offers(use) && !slices.ContainsFunc(needs, serves) {
			needs = append(needs, service.Need{Name: use, Use: use, Found: "upkeep"})
		}
	}
	return needs
}
