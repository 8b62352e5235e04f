package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"upkeep/internal/notify"
)

var noon = time.Now().Truncate(time.Second)

// receiver takes what it gets, unless it is down.
type receiver struct {
	got  []string
	down error
}

func (r *receiver) send(_ context.Context, body json.RawMessage) (string, error) {
	if r.down != nil {
		return "", r.down
	}
	var text string
	err := json.Unmarshal(body, &text)
	r.got = append(r.got, text)
	return "ok", err
}

// desk is an outbox with one receiver and a clock.
type desk struct {
	t *testing.T
	notify.Outbox
	receiver
	now    time.Time
	events []notify.Event
}

func newDesk(t *testing.T) *desk {
	return &desk{t: t, Outbox: notify.Outbox{Dir: filepath.Join(t.TempDir(), "outbox")}, now: noon}
}

func (d *desk) put(id string) {
	d.t.Helper()
	must(d.t, d.Put(notify.Email, id, d.now, id))
}

func (d *desk) deliver(after time.Duration) {
	d.t.Helper()
	d.now = d.now.Add(after)
	must(d.t, d.Deliver(d.t.Context(), func() time.Time { return d.now }, map[notify.Channel]notify.Sender{notify.Email: d.send},
		func(e notify.Event) { d.events = append(d.events, e) }))
}

func (d *desk) health() notify.Health {
	d.t.Helper()
	all, err := d.Health()
	if err != nil || len(all) != 1 {
		d.t.Fatalf("health of %d channels, %v", len(all), err)
	}
	return all[0]
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsTakenIsGone(t *testing.T) {
	d := newDesk(t)
	d.put("b")
	d.put("a")
	d.put("a") // again: the same message
	d.deliver(0)
	d.deliver(time.Hour)
	if strings.Join(d.got, " ") != "b a" && strings.Join(d.got, " ") != "a b" {
		t.Errorf("got %q", d.got)
	}
	if h := d.health(); h.Failing() || h.Waiting != 0 || !h.Accepted.Equal(noon) || len(d.events) != 0 {
		t.Errorf("health %+v, events %+v", h, d.events)
	}
}

func TestWhatIsRefusedWaitsLongerEachTime(t *testing.T) {
	d := newDesk(t)
	d.down = errors.New("421 try\r\nlater")
	d.put("a")
	d.deliver(0)
	tries := 0
	for d.now.Before(noon.Add(24 * time.Hour)) {
		before := d.health().Answer
		d.down = errors.New("try " + strconv.Itoa(tries))
		if d.deliver(time.Minute); d.health().Answer != before {
			tries++
		}
	}
	if tries < 8 || tries > 16 {
		t.Errorf("%d tries in a day", tries)
	}
	h := d.health()
	if !h.Since.Equal(noon) || h.Waiting != 1 || len(d.events) != 1 || !d.events[0].Began {
		t.Errorf("health %+v, events %+v", h, d.events)
	}
	d.down = nil
	d.deliver(4 * time.Hour)
	if h := d.health(); h.Failing() || h.Waiting != 0 || len(d.got) != 1 || !d.events[len(d.events)-1].Ended {
		t.Errorf("health %+v after it was taken, got %q", h, d.got)
	}
}

func TestAnswersAreOneLine(t *testing.T) {
	d := newDesk(t)
	d.down = errors.New("550 no\r\nBcc: everybody\x00 " + strings.Repeat("x", 3000))
	d.put("a")
	d.deliver(0)
	if a := d.health().Answer; strings.ContainsAny(a, "\r\n\x00") || len(a) > 600 {
		t.Errorf("answer %q", a)
	}
}

func TestWhatIsTooOldOrTooMuchIsGivenUpAndCounted(t *testing.T) {
	d := newDesk(t)
	d.down = errors.New("down")
	for i := range 210 {
		d.put(strconv.Itoa(i))
	}
	d.deliver(time.Second)
	if h := d.health(); h.Waiting != 200 || h.Lost != 10 {
		t.Errorf("%d wait and %d are lost, of 210", h.Waiting, h.Lost)
	}
	d.deliver(73 * time.Hour)
	if h := d.health(); h.Waiting != 0 || h.Lost != 210 || !h.Failing() {
		t.Errorf("%+v after three days", h)
	}
}

func TestAChannelThatIsNoLongerDeclaredKeepsNothing(t *testing.T) {
	d := newDesk(t)
	must(t, d.Put(notify.Webhook, "w", d.now, "w"))
	d.deliver(time.Second)
	if all, err := d.Health(); err != nil || len(all) != 0 || len(d.got) != 0 {
		t.Errorf("health %+v, %v, got %q", all, err, d.got)
	}
}

func TestAnOutboxOutlivesItsProcessAndIsItsOwnersAlone(t *testing.T) {
	d := newDesk(t)
	d.down = errors.New("down")
	d.put("a")
	d.deliver(0)
	files, err := os.ReadDir(d.Dir)
	must(t, err)
	for _, f := range files {
		info, err := f.Info()
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %s", f.Name(), info.Mode())
		}
	}
	other := &desk{t: t, Outbox: notify.Outbox{Dir: d.Dir}, now: d.now}
	other.deliver(time.Second)
	if len(other.got) != 0 {
		t.Error("another process did not wait")
	}
	other.deliver(2 * time.Minute)
	if len(other.got) != 1 || other.health().Failing() {
		t.Errorf("got %q, health %+v", other.got, other.health())
	}
}

func TestAClockThatGoesBackDelaysNothingForLong(t *testing.T) {
	d := newDesk(t)
	d.down = errors.New("down")
	d.put("a")
	d.deliver(0)
	d.down = nil
	d.deliver(-24 * time.Hour)
	if len(d.got) != 1 {
		t.Error("a message waits for a time that a wrong clock gave it")
	}
}

func TestAReceiverThatIsBackGetsAllThatWaitedForIt(t *testing.T) {
	d := newDesk(t)
	d.down = errors.New("down")
	d.put("a")
	d.put("b")
	d.deliver(0)
	d.deliver(3 * time.Hour)
	d.down = nil
	d.put("c")
	d.deliver(time.Second)
	d.deliver(time.Second)
	if len(d.got) != 3 {
		t.Errorf("got %q", d.got)
	}
	if e := d.events[len(d.events)-1]; !e.Ended || e.Waiting != 2 {
		t.Errorf("told %+v", e)
	}
}
