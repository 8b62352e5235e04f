package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"upkeep/internal/monitor/alertfile"
	"upkeep/internal/service"
)

// Silence holds back the alerts that all its matchers match, in the process that serves.
type Silence struct {
	ID       string    `json:"id"`
	State    string    `json:"state"` // active, pending or expired
	Matchers []string  `json:"matchers"`
	Starts   time.Time `json:"starts_at"`
	Ends     time.Time `json:"ends_at"`
	By       string    `json:"by"`
	Comment  string    `json:"comment"`
}

// The same in the form of Alertmanager's API.
type (
	givenSilence struct {
		ID        string         `json:"id,omitempty"`
		Status    *givenStatus   `json:"status,omitempty"`
		Matchers  []givenMatcher `json:"matchers"`
		StartsAt  time.Time      `json:"startsAt"`
		EndsAt    time.Time      `json:"endsAt"`
		CreatedBy string         `json:"createdBy"`
		Comment   string         `json:"comment"`
	}
	givenStatus struct {
		State string `json:"state"`
	}
	givenMatcher struct {
		Name    string `json:"name"`
		Value   string `json:"value"`
		IsRegex bool   `json:"isRegex"`
		IsEqual *bool  `json:"isEqual,omitempty"` // absent = true
	}
)

// Silences lists those that hold or will hold, the one that ends first before others;
// all adds those that are over.
func (a *App) Silences(ctx context.Context, all bool) ([]Silence, error) {
	var given []givenSilence
	if err := a.askServe(ctx, http.MethodGet, "silences", nil, &given); err != nil {
		return nil, err
	}
	list := []Silence{}
	for _, g := range given {
		if s := g.silence(); all || s.State != "expired" {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(x, y Silence) int { return x.Ends.Compare(y.Ends) })
	return list, nil
}

func (g givenSilence) silence() Silence {
	s := Silence{ID: g.ID, Starts: g.StartsAt, Ends: g.EndsAt, By: g.CreatedBy, Comment: g.Comment}
	if g.Status != nil {
		s.State = g.Status.State
	}
	for _, m := range g.Matchers {
		kind := map[[2]bool]labels.MatchType{{true, false}: labels.MatchEqual, {false, false}: labels.MatchNotEqual,
			{true, true}: labels.MatchRegexp, {false, true}: labels.MatchNotRegexp}[[2]bool{m.IsEqual == nil || *m.IsEqual, m.IsRegex}]
		s.Matchers = append(s.Matchers, (&labels.Matcher{Type: kind, Name: m.Name, Value: m.Value}).String())
	}
	return s
}

// CheckMatchers reports the first text that is no matcher.
func CheckMatchers(matchers []string) error {
	for _, text := range matchers {
		if _, err := alertfile.Matcher(text); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return nil
}

// Silence adds a silence from now on and returns it.
func (a *App) Silence(ctx context.Context, matchers []string, length time.Duration, comment string) (Silence, error) {
	now := a.opt.Now()
	g := givenSilence{StartsAt: now, EndsAt: now.Add(length), CreatedBy: a.opt.User, Comment: comment}
	for _, text := range matchers {
		m, err := alertfile.Matcher(text)
		if err != nil {
			return Silence{}, fmt.Errorf("matcher %s: %w", text, err)
		}
		equal := m.Type == labels.MatchEqual || m.Type == labels.MatchRegexp
		g.Matchers = append(g.Matchers, givenMatcher{m.Name, m.Value, m.Type == labels.MatchRegexp || m.Type == labels.MatchNotRegexp, &equal})
	}
	var made struct {
		ID string `json:"silenceID"`
	}
	if err := a.askServe(ctx, http.MethodPost, "silences", g, &made); err != nil {
		return Silence{}, err
	}
	s := g.silence()
	s.ID, s.State = made.ID, "active"
	return s, nil
}

// Expire ends a silence now. The error wraps service.ErrNotFound where there is none of
// this ID.
func (a *App) Expire(ctx context.Context, id string) error {
	return a.askServe(ctx, http.MethodDelete, "silence/"+url.PathEscape(id), nil, nil)
}

const (
	serveAnswers = 10 * time.Second // within which the process that serves answers
	answerLimit  = 16 << 20         // bytes of an answer
)

// askServe asks the process that serves, at the address that is declared.
func (a *App) askServe(ctx context.Context, method, path string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, serveAnswers)
	defer cancel()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+a.Config.Listen+"/alertmanager/api/v2/"+path, content)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return &service.Fault{ID: "error.not-serving", Args: service.Args{"listen": a.Config.Listen}, Err: fmt.Errorf("%w: %w", err, service.ErrUnreachable)}
	}
	if err != nil {
		return fmt.Errorf("ask upkeep serve: %w: %w", err, service.ErrUnreachable)
	}
	defer func() { _ = res.Body.Close() }() // all of it was read, or enough
	return answered(res, path, answer)
}

func answered(res *http.Response, path string, answer any) error {
	text, err := io.ReadAll(io.LimitReader(res.Body, answerLimit))
	switch {
	case err != nil:
		return fmt.Errorf("read the answer of upkeep serve: %w", err)
	case res.StatusCode == http.StatusNotFound && strings.HasPrefix(path, "silence/"):
		return fmt.Errorf("silence %s: %w", strings.TrimPrefix(path, "silence/"), service.ErrNotFound)
	case res.StatusCode == http.StatusUnprocessableEntity && strings.HasPrefix(path, "silence/"): // the ID is no UUID
		return fmt.Errorf("silence %s: %w", strings.TrimPrefix(path, "silence/"), service.ErrNotFound)
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("upkeep serve refuses it (%s): %s", res.Status, strings.TrimSpace(string(text[:min(len(text), 500)])))
	case answer == nil:
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("what listens at the declared address is not upkeep serve: %w", err)
	}
	return nil
}
