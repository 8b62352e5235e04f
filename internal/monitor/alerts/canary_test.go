package alerts_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"upkeep/internal/monitor/alerts"
	"upkeep/lab"
)

func TestCanaryPassesThroughTheUsersTreeAndNobodyIsTold(t *testing.T) {
	s, h := lab.SMTP(t, lab.Options{}), newHook(t)
	a := open(t, alerts.Options{Source: alerts.Source{File: write(t, mailing(s, h))}})
	p, err := a.Canary(t.Context())
	if err != nil || !p.Whole() {
		t.Fatalf("%+v %v", p, err)
	}
	reached := map[string]bool{}
	for _, name := range p.Arrived {
		reached[name] = true
	}
	if fmt.Sprint(reached) != "map[mail:true upkeep-canary:true]" {
		t.Errorf("arrived at %v", p.Arrived)
	}
	if len(a.Active(t.Context())) != 0 || len(a.Verdict().Findings) != 0 {
		t.Errorf("active %v, found %v", a.Active(t.Context()), a.Verdict())
	}
	time.Sleep(3 * time.Second) // three times group_interval
	if len(mails(t, s)) != 0 || h.heard("") && len(h.told) > 0 {
		t.Error("somebody was told of a canary")
	}
}

// TestCanaryThatIsLostIsFound: everything is silenced, and nobody would be told of
// anything.
func TestCanaryThatIsLostIsFound(t *testing.T) {
	a := open(t, alerts.Options{Source: alerts.Source{File: write(t, mailing(lab.SMTP(t, lab.Options{}), newHook(t)))}, Deadline: 3 * time.Second})
	until(t, "the first canary", func() bool { last, _, _ := a.LastCanary(); return last.Whole() })
	id, err := a.Silence(t.Context(), alerts.Silence{Matchers: []string{`alertname=~".+"`}, Starts: time.Now(), Ends: time.Now().Add(time.Hour), By: "me", Comment: "quiet"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := a.Canary(t.Context())
	if err != nil || p.Whole() || fmt.Sprint(p.Silenced) != "["+id+"]" {
		t.Fatalf("%+v %v", p, err)
	}
	if v := a.Verdict(); len(v.Findings) != 1 || v.Findings[0].ID != alerts.CanaryID || v.Findings[0].Args["silences"] != id {
		t.Errorf("found %+v", v.Findings)
	}
	if err := a.Expire(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if p, err = a.Canary(t.Context()); err != nil || !p.Whole() || len(a.Verdict().Findings) != 0 {
		t.Errorf("afterwards %+v %v, found %v", p, err, a.Verdict())
	}
}

// TestCanaryThatDoesNotComeForADayIsFound moves the clock: the one that was due did not
// even start.
func TestCanaryThatDoesNotComeForADayIsFound(t *testing.T) {
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	a := open(t, alerts.Options{Source: alerts.Source{Notify: alerts.Notify{Webhook: newHook(t).URL}}, Now: now})
	until(t, "the first canary", func() bool { last, _, _ := a.LastCanary(); return last.Whole() })
	for after, want := range map[time.Duration]int{23 * time.Hour: 0, 25 * time.Hour: 1} {
		ahead.Store(int64(after))
		if v := a.Verdict(); len(v.Findings) != want {
			t.Errorf("%s later: %+v", after, v.Findings)
		}
	}
}
