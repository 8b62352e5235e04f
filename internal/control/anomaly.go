package control

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"upkeep/internal/service"
)

// Anomaly is a series whose values its own past makes unlikely, since some time.
type Anomaly struct {
	Name   string    `json:"name"`
	Series string    `json:"series,omitempty"` // its labels: {instance="db"}
	Value  float64   `json:"value"`
	Low    float64   `json:"low"` // within which it was expected
	High   float64   `json:"high"`
	Since  time.Time `json:"since"`
}

// watched is what serve last said of the series that it watches.
type watched struct {
	At        time.Time         `json:"at"`
	Anomalies []Anomaly         `json:"anomalies"`
	Failed    map[string]string `json:"failed"` // expressions that gave nothing, or not all, and why
}

// anomaliesKept is how long it counts what serve said: it says it every minute.
const anomaliesKept = 5 * time.Minute

const anomaliesKey = "anomalies"

// KeepAnomalies takes what goes on now, and which expressions failed and why, in the
// place of what was told before. Checks of every process find it.
func (a *App) KeepAnomalies(ctx context.Context, now []Anomaly, failed map[string]string) error {
	text, err := json.Marshal(watched{At: a.opt.Now(), Anomalies: now, Failed: failed})
	if err != nil {
		return fmt.Errorf("keep what is unusual: %w", err)
	}
	return a.state(a.Config.System, reserved).Set(ctx, anomaliesKey, string(text))
}

// reserved is under which name upkeep keeps what it knows of itself.
const reserved = "upkeep"

// checkAnomalies finds the series that are unusual now.
func (a *App) checkAnomalies(ctx context.Context, v *service.Verdict) error {
	if len(a.Config.Monitor.Anomalies) == 0 {
		return nil
	}
	text, err := a.state(a.Config.System, reserved).Get(ctx, anomaliesKey)
	if err != nil || text == "" {
		return err
	}
	var said watched
	if err := json.Unmarshal([]byte(text), &said); err != nil {
		return fmt.Errorf("read what is unusual: %w", err)
	}
	if age := a.opt.Now().Sub(said.At); age > anomaliesKept {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(said.Failed)) {
		v.Warn("upkeep.anomaly-unwatched", name, service.Args{"name": name, "error": said.Failed[name]})
	}
	for _, one := range said.Anomalies {
		v.Warn("upkeep.anomaly", one.Name+one.Series, service.Args{"name": one.Name, "series": one.Series, "value": number(one.Value),
			"low": number(one.Low), "high": number(one.High), "began": one.Since.In(a.Zone()).Format("2006-01-02 15:04")})
	}
	return nil
}

// number has as many digits as a person compares.
func number(v float64) string { return fmt.Sprintf("%.4g", v) }
