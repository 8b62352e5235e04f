// Package notify carries what upkeep has to say out of the machine – mail, webhooks,
// error events, pings – keeps what was not accepted until it is, and judges the pings
// that others send in. It makes no words and reads no journal: whoever hands a message in
// has written it, and secrets come resolved, at the moment of sending.
package notify

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// Channel is one way out.
type Channel string

// The ways out that wait for their receiver. Pings do not wait: a late one would lie.
const (
	Email   Channel = "email"
	Webhook Channel = "webhook"
	Sentry  Channel = "sentry"
)

// Ping is the way out that says that serve lives; PingOf is that of a job.
const Ping Channel = "ping"

// PingOf is a job's own ping.
func PingOf(job string) Channel { return Ping + Channel("."+job) }

// Job names the job of a ping; empty for that of serve.
func (c Channel) Job() (name string, ping bool) {
	if c == Ping {
		return "", true
	}
	name, ping = strings.CutPrefix(string(c), string(Ping)+".")
	return name, ping
}

// Sender delivers one message and returns what the receiver answered. It is called with a
// deadline, and an error means that the receiver has not taken it.
type Sender func(ctx context.Context, body json.RawMessage) (answer string, err error)

// limit is how long one delivery of any kind may take.
const limit = 45 * time.Second

// longest bounds what is kept of an answer: servers write novels.
const longest = 500

// said is an error as it is shown: without the address it was about, which is often the
// secret itself, on one line.
func said(err error) string {
	var about *url.Error
	if errors.As(err, &about) {
		err = about.Err
	}
	return oneLine(err.Error())
}

func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return text
}
