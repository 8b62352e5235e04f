package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/getsentry/sentry-go"
)

// ErrorEvent is a failed run as a tracker of errors gets it. It says nothing of the machine
// but the system's name.
type ErrorEvent struct {
	ID          string            `json:"id"` // 32 hexadecimal digits, the same for every try
	At          time.Time         `json:"at"`
	System      string            `json:"system"`
	Message     string            `json:"message"`
	Warning     bool              `json:"warning,omitempty"` // part of it was done
	Tags        map[string]string `json:"tags"`              // to search by
	Fingerprint []string          `json:"fingerprint"`       // what is one trouble
	Errors      []ErrorLine       `json:"errors"`
	Context     map[string]any    `json:"context"`
}

// ErrorLine is one of its errors.
type ErrorLine struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// Tracker is the receiver of error events.
type Tracker struct {
	DSN     string
	Version string
}

// Send is a Sender of error events.
func (t Tracker) Send(ctx context.Context, body json.RawMessage) (string, error) {
	var e ErrorEvent
	if err := json.Unmarshal(body, &e); err != nil {
		return "", fmt.Errorf("read an error event that waits: %w", err)
	}
	wire := &observed{ctx: ctx}
	client, err := sentry.NewClient(sentry.ClientOptions{
		Dsn: t.DSN, Release: "upkeep@" + t.Version, Environment: "production", ServerName: e.System,
		// The defaults tell of the machine, the environment and every module.
		Integrations:           func([]sentry.Integration) []sentry.Integration { return nil },
		Transport:              sentry.NewHTTPSyncTransport(),
		HTTPTransport:          wire,
		DisableClientReports:   true,
		DisableTelemetryBuffer: true,
	})
	if err != nil {
		return "", errors.New("the DSN is none: it must be https://KEY@HOST/PROJECT") // the parser's own message quotes it
	}
	client.CaptureEvent(e.event(), nil, nil)
	return wire.outcome()
}

func (e ErrorEvent) event() *sentry.Event {
	level := sentry.LevelError
	if e.Warning {
		level = sentry.LevelWarning
	}
	event := &sentry.Event{EventID: sentry.EventID(e.ID), Timestamp: e.At, Level: level, Message: e.Message, Logger: "upkeep",
		Tags: e.Tags, Fingerprint: e.Fingerprint, Contexts: map[string]sentry.Context{"upkeep": e.Context}}
	for _, line := range e.Errors {
		event.Exception = append(event.Exception, sentry.Exception{Type: line.ID, Value: line.Title})
	}
	return event
}

// observed is the wire to the tracker: the client swallows what went wrong on it.
type observed struct {
	ctx    context.Context
	status int
	answer string
	err    error
}

// RoundTrip sends one request within the delivery's own deadline.
func (o *observed) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r.WithContext(o.ctx))
	if o.err = err; err != nil {
		return nil, err
	}
	o.status = response.StatusCode
	o.answer = strings.TrimSpace(response.Status + " " + response.Header.Get("X-Sentry-Error"))
	return response, nil
}

func (o *observed) outcome() (string, error) {
	switch {
	case o.err != nil:
		return "", fmt.Errorf("%s", said(o.err))
	case o.status < 200 || o.status >= 300:
		return "", fmt.Errorf("it answered %s", cmp.Or(oneLine(o.answer), "nothing"))
	}
	return oneLine(o.answer), nil
}
