package control

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"upkeep/internal/capability/report"
	"upkeep/internal/catalogue"
	"upkeep/internal/engine"
	"upkeep/internal/notify"
	"upkeep/internal/service"
)

// mailReport lets the mail of a report wait, where reports of its span are mailed.
func (a *App) mailReport(id string, page report.Page, span, output string) error {
	email := a.Config.Notify.Email
	if email == nil || !slices.Contains(email.Reports, cmp.Or(span, "day")) {
		return nil
	}
	m, err := a.letter(page, output, a.opt.Words)
	if err != nil {
		return err
	}
	return a.putLetter(id, m)
}

// letter makes a mail of a page. Of what was written the first is the one to open.
func (a *App) letter(page report.Page, output string, words catalogue.Words) (notify.Mail, error) {
	file, _, _ := strings.Cut(output, ", ")
	made, err := report.Text{Words: words, Now: a.opt.Now()}.Letter(page, file)
	if err != nil {
		return notify.Mail{}, fmt.Errorf("write the mail of the report: %w", err)
	}
	m := notify.Mail{Subject: made.Subject, Text: made.Text, HTML: made.HTML, Made: a.opt.Now()}
	for _, picture := range made.Pictures {
		m.Images = append(m.Images, notify.Image{ID: picture.ID, PNG: picture.PNG})
	}
	return m, nil
}

// Posted is what became of one letter.
type Posted struct {
	To       string `json:"to"`
	Subject  string `json:"subject"`
	Accepted bool   `json:"accepted"`
	Answer   string `json:"answer"` // of the mail server, or why there is none
}

// MailReport sends the report of a span now and returns what the mail server answered to each
// receiver. dry sends nothing. The code is the exit code: 0 only when all were accepted.
func (a *App) MailReport(ctx context.Context, span string, dry bool, words catalogue.Words) (posted []Posted, code int, err error) {
	email := a.Config.Notify.Email
	if email == nil {
		return nil, engine.ExitUsage, &service.Fault{ID: "control.no-email", Args: service.Args{"file": a.Config.File},
			Err: fmt.Errorf("notify.email is not declared: %w", service.ErrUndeclared)}
	}
	page, err := a.pageOf(ctx, span)
	if err != nil {
		return nil, engine.ExitFailed, err
	}
	m, err := a.letter(page, "", words)
	if err != nil {
		return nil, engine.ExitFailed, err
	}
	for _, to := range email.To {
		posted = append(posted, Posted{To: to, Subject: m.Subject})
	}
	if dry {
		return posted, engine.ExitDone, nil
	}
	for i := range posted {
		m.ID, m.To = "upkeep."+newID(a.opt.Now()), posted[i].To
		answer, failure := a.postNow(ctx, m)
		if posted[i].Answer, posted[i].Accepted = answer, failure == nil; failure != nil {
			code = engine.ExitFailed
		}
	}
	if !a.served() {
		err = a.Deliver(ctx) // what that has made to be told, and what waited
	}
	return posted, code, err
}

// postNow sends a letter past the outbox. How it went is known there all the same.
func (a *App) postNow(ctx context.Context, m notify.Mail) (answer string, failure error) {
	body, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("encode a letter: %w", err)
	}
	answer, failure = a.post(ctx, json.RawMessage(a.redactor.Redact(string(body))))
	if event := a.note(notify.Email, failure); failure != nil {
		return event.Answer, failure
	}
	return answer, nil
}
