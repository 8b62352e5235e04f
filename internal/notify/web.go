package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"
)

// Web talks to webhooks and ping services.
type Web struct{ Version string }

// pingLimit is how long a ping may take.
const pingLimit = 10 * time.Second

// MostBody is how much of a log goes with a ping, and is kept of one that comes in, in bytes.
const MostBody = 100_000

// Post is the Sender of a webhook.
func (w Web) Post(address string) Sender {
	return func(ctx context.Context, body json.RawMessage) (string, error) {
		return w.call(ctx, address, "application/json", body)
	}
}

// Signal is what a ping says, as healthchecks services understand it.
type Signal string

// What a ping can say. A number says how a program ended.
const (
	Success Signal = ""
	Start   Signal = "start"
	Fail    Signal = "fail"
	Log     Signal = "log"
)

// Ping calls a ping service, with the end of a log.
func (w Web) Ping(ctx context.Context, address string, s Signal, log string) error {
	target, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("the address to ping is none")
	}
	if s != Success {
		target = target.JoinPath(string(s))
	}
	ctx, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	_, err = w.call(ctx, target.String(), "text/plain; charset=utf-8", []byte(Tail(log)))
	return err
}

// Tail is as much of the end of a log as goes with a ping.
func Tail(log string) string {
	if len(log) <= MostBody {
		return log
	}
	log = log[len(log)-MostBody:]
	for len(log) > 0 && !utf8.RuneStart(log[0]) {
		log = log[1:]
	}
	return log
}

// call posts a body. A redirection is an answer like another one: the body, and an address
// that may be a secret, go nowhere but where they were meant to.
func (w Web) call(ctx context.Context, address, form string, body []byte) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("the address is none that can be called")
	}
	request.Header.Set("Content-Type", form)
	request.Header.Set("User-Agent", "upkeep/"+w.Version)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return "", fmt.Errorf("%s", said(err))
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 4*longest))
	answer := oneLine(strconv.Itoa(response.StatusCode) + " " + string(text))
	switch {
	case response.StatusCode >= 300:
		return "", fmt.Errorf("it answered %s", answer)
	case err != nil:
		return "", fmt.Errorf("read the answer: %s", said(err))
	}
	return answer, nil
}
