package control_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"upkeep/internal/service"
)

// shop is a kind whose one service can be stopped and started.
type shop struct {
	started []string
	fails   bool
}

type counter struct{ *shop }

func (counter) Close() error { return nil }

func (counter) Stop(context.Context, string) error { return nil }

func (c counter) Start(_ context.Context, unit string) error {
	c.started = append(c.started, unit)
	if c.fails {
		return errors.New("the door is jammed")
	}
	return nil
}

func (counter) Users(context.Context, []string) ([]string, error) { return nil, nil }

func (s *shop) kind() service.Kind {
	return service.Define("shop", func(service.Env, struct{}) (counter, error) { return counter{s}, nil }, []byte("messages: {}\n"), nil)
}

func TestAGuardStartsTheServiceUnlessItIsDismissed(t *testing.T) {
	for name, tc := range map[string]struct {
		window time.Duration // the slack of 5 s is added
		say    string
		cancel bool
		fails  bool
		want   service.Relief
		starts int
	}{
		"dismissed":                   {window: time.Hour, say: "stopped\nstarting\ndismissed\n"},
		"upkeep is gone":              {window: time.Hour, starts: 1, want: service.Relief{Unit: "till"}},
		"gone while it started it":    {window: time.Hour, say: "stopped\nstarting\n", starts: 1, want: service.Relief{Unit: "till"}},
		"the session ends":            {window: time.Hour, cancel: true, starts: 1, want: service.Relief{Unit: "till"}},
		"upkeep hangs":                {window: -5 * time.Second, say: "stopped\n", starts: 1, want: service.Relief{Unit: "till", Late: true}},
		"gone, and it does not start": {window: time.Hour, fails: true, starts: 1, want: service.Relief{Unit: "till", Error: "the door is jammed"}},
	} {
		t.Run(name, func(t *testing.T) {
			l, s := newLab(t, "", "a", "graph"), &shop{fails: tc.fails}
			l.kinds["a"] = s.kind()
			app := l.open(t)
			in, tell := io.Pipe()
			said, out := io.Pipe()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				fmt.Fprintf(tell, `{"target": "graph", "window": {"place": {"target": "a", "unit": "till"}, "at_most": %d}}`+"\n", tc.window)
				if line, _ := bufio.NewReader(said).ReadString('\n'); line != "ready\n" {
					t.Errorf("it says %q", line)
				}
				_, _ = io.WriteString(tell, tc.say) // it may have ended
				switch {
				case tc.cancel:
					cancel()
				case !tc.want.Late:
					_ = tell.Close()
				}
			}()
			if err := app.StandGuard(ctx, in, out); (err != nil) != tc.fails {
				t.Fatal(err)
			}
			if len(s.started) != tc.starts {
				t.Errorf("started %v", s.started)
			}
			j, err := app.Journal(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			text, err := j.State("shop", "graph").Get(t.Context(), service.StateOfGuard)
			var kept service.Relief
			if err != nil || text != "" && json.Unmarshal([]byte(text), &kept) != nil {
				t.Fatal(text, err)
			}
			if kept.Since, kept.At = (time.Time{}), (time.Time{}); kept != tc.want {
				t.Errorf("kept %+v, want %+v", kept, tc.want)
			}
		})
	}
}

func TestAGuardThatCannotStartAnythingSaysSoBeforeTheServiceIsStopped(t *testing.T) {
	var said strings.Builder
	order := `{"target": "a", "window": {"place": {"target": "a", "unit": "till"}, "at_most": 1}}` + "\n"
	err := newLab(t, "", "a").open(t).StandGuard(t.Context(), strings.NewReader(order), &said)
	if !errors.Is(err, service.ErrUnsupported) || !strings.Contains(said.String(), "not supported") {
		t.Errorf("%v, it says %q", err, said.String())
	}
}
