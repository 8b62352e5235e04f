package alerts_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"upkeep/internal/diag"
	"upkeep/internal/monitor/alerts"
	"upkeep/lab"
)

// letter is a mail as its reader sees it.
type letter struct{ subject, text, html string }

func read(t *testing.T, file string) letter {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	l := letter{subject: subject}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	for parts := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := parts.NextRawPart()
		if err != nil {
			return l
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/html") {
			l.html = string(text)
		} else {
			l.text = string(text)
		}
	}
}

// until waits for something that happens beside the test.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 3000 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("waited in vain: %s", what)
}

func mails(t *testing.T, s *lab.Server) []string {
	t.Helper()
	files, err := s.Mails()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// hook is a webhook that keeps what it is told.
type hook struct {
	*httptest.Server
	mu   sync.Mutex
	told []string
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.told = append(h.told, string(text))
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) heard(text string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Contains(strings.Join(h.told, "\n"), text)
}

func open(t *testing.T, opt alerts.Options) *alerts.Alertmanager {
	t.Helper()
	opt.Dir, opt.System = filepath.Join(t.TempDir(), "alerts"), "shop"
	if opt.ExternalURL == "" {
		opt.ExternalURL = "http://127.0.0.1:9470"
	}
	opt.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	a, err := alerts.Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return a
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "alertmanager.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// mailing is an alertmanager.yml for a mail server of the lab, and a webhook.
func mailing(s *lab.Server, h *hook) string {
	tls := "smtp_require_tls: false"
	if _, err := os.Stat(filepath.Join(s.Dir, "certificate.pem")); err == nil {
		tls = "smtp_tls_config: {ca_file: " + filepath.Join(s.Dir, "certificate.pem") + "}"
	}
	login := ""
	if s.User != "" {
		login = fmt.Sprintf("smtp_auth_username: %s\n  smtp_auth_password: %s", s.User, s.Password)
	}
	return fmt.Sprintf(`
global:
  smtp_smarthost: %s
  smtp_from: alerts@example.org
  %s
  %s
route:
  receiver: mail
  group_by: []
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 1h
  routes:
    - {receiver: hook, matchers: [team="web"]}
inhibit_rules:
  - {source_matchers: [severity="critical"], target_matchers: [severity="warning"], equal: [target]}
receivers:
  - name: mail
    email_configs:
      - to: ops@example.org
        headers: {Subject: '{{ template "upkeep.mail.subject" . }}'}
        text: '{{ template "upkeep.mail.text" . }}'
        html: '{{ template "upkeep.mail.html" . }}'
  - name: hook
    webhook_configs: [{url: %s}]
`, s.Addr(), tls, login, h.URL)
}

func alert(name, severity string, more ...string) alerts.Alert {
	a := alerts.Alert{Labels: map[string]string{"alertname": name, "severity": severity, "system": "shop"}, StartsAt: time.Now(),
		Annotations: map[string]string{"summary": name + " is wrong", "description": "mend " + name, "runbook": "docs/runbooks/" + name + ".md"}}
	for i := 0; i+1 < len(more); i += 2 {
		a.Labels[more[i]] = more[i+1]
	}
	return a
}

func send(t *testing.T, a *alerts.Alertmanager, all ...alerts.Alert) {
	t.Helper()
	if err := a.Send(t.Context(), all); err != nil {
		t.Fatal(err)
	}
}

func TestMailGoesOutWithSTARTTLSAndLogin(t *testing.T) {
	s := lab.SMTP(t, lab.Options{Settings: map[string]string{"tls": "30", "login": "yes"}})
	for language, want := range map[string]letter{
		"en": {"[shop] 1 alert: disk-full is wrong", "CRITICAL disk-full is wrong", "since"},
		"zh": {"[shop] 1 条告警：disk-full is wrong", "CRITICAL disk-full is wrong", "始于"},
	} {
		before := len(mails(t, s))
		a := open(t, alerts.Options{Source: alerts.Source{File: write(t, mailing(s, newHook(t))), Language: language}})
		send(t, a, alert("disk-full", "critical"))
		until(t, "a mail", func() bool { return len(mails(t, s)) > before })
		l := read(t, mails(t, s)[before])
		for _, pair := range [][2]string{{l.subject, want.subject}, {l.text, want.text}, {l.text, "docs/runbooks/disk-full.md"}, {l.html, want.html}, {l.html, "docs/runbooks/disk-full.md"}} {
			if !strings.Contains(pair[0], pair[1]) {
				t.Errorf("%s: %q lacks %q", language, pair[0], pair[1])
			}
		}
	}
	about, err := os.ReadFile(filepath.Join(s.Data, "1.json"))
	if err != nil || !strings.Contains(string(about), `"tls": true, "login": true`) {
		t.Errorf("sent as %s (%v)", about, err)
	}
}

func TestAThousandAtOnceAreOneMailOfBoundedLength(t *testing.T) {
	s := lab.SMTP(t, lab.Options{})
	a := open(t, alerts.Options{Source: alerts.Source{File: write(t, mailing(s, newHook(t))), Language: "zh"}})
	var all []alerts.Alert
	for i := range 1000 {
		one := alert(fmt.Sprintf("table-%d", i), "warning", "target", fmt.Sprint("t", i))
		one.Annotations["description"] = strings.Repeat("很长的说明", 1000)
		all = append(all, one)
	}
	all[999].Labels["severity"] = "critical"
	send(t, a, all...)
	until(t, "a mail", func() bool { return len(mails(t, s)) > 0 })
	info, err := os.Stat(mails(t, s)[0])
	if err != nil || info.Size() > 512<<10 {
		t.Errorf("the mail has %d bytes (%v)", info.Size(), err)
	}
	l := read(t, mails(t, s)[0])
	if !strings.HasPrefix(l.subject, "[shop] 1000 条告警") || !strings.Contains(l.text, "共 1000 条，此处列出 40 条") {
		t.Errorf("subject %q, text %.300q", l.subject, l.text)
	}
	if first := strings.Index(l.text, "table-999 "); first < 0 || first > 200 {
		t.Errorf("the critical one does not come first: %.300q", l.text)
	}
	time.Sleep(3 * time.Second) // three times group_interval: another would be there
	if n := len(mails(t, s)); n != 1 {
		t.Errorf("%d mails", n)
	}
}

// TestFailuresAreToldAnotherWay: mail is not accepted, whatever the reason; that is a
// finding, and the webhook says so.
func TestFailuresAreToldAnotherWay(t *testing.T) {
	for name, c := range map[string]struct {
		settings map[string]string
		want     string
	}{
		"refused for now":     {map[string]string{"mode": "later"}, "451"},
		"refused for good":    {map[string]string{"mode": "never"}, "550"},
		"silent":              {map[string]string{"mode": "mute"}, "no answer within"},
		"silent after a mail": {map[string]string{"mode": "deaf"}, "no answer within"},
		"closes":              {map[string]string{"mode": "closed"}, "create SMTP client"},
		"certificate expired": {map[string]string{"tls": "-1"}, "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, h := lab.SMTP(t, lab.Options{Settings: c.settings}), newHook(t)
			a := open(t, alerts.Options{Source: alerts.Source{File: write(t, mailing(s, h))}, FailsAfter: 2 * time.Second, Attempt: 2 * time.Second})
			send(t, a, alert("disk-full", "critical"))
			until(t, "the webhook is told", func() bool { return h.heard(alerts.FailingID) })
			v := a.Verdict()
			if len(v.Findings) != 1 || v.Findings[0].ID != alerts.FailingID || !strings.Contains(fmt.Sprint(v.Findings[0].Args["error"]), c.want) {
				t.Errorf("found %+v", v.Findings)
			}
			if err := s.Mode("accept"); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(name, "certificate") {
				return
			}
			until(t, "the mail comes after all", func() bool { return len(mails(t, s)) > 0 && len(a.Failing()) == 0 })
		})
	}
}

func TestWebhookDownIsToldByMail(t *testing.T) {
	s, h := lab.SMTP(t, lab.Options{}), newHook(t)
	h.Close()
	a := open(t, alerts.Options{Source: alerts.Source{File: write(t, mailing(s, h))}, FailsAfter: time.Second})
	send(t, a, alert("disk-full", "critical", "team", "web"))
	until(t, "a mail", func() bool { return len(mails(t, s)) > 0 })
	if l := read(t, mails(t, s)[0]); !strings.Contains(l.text, "webhook[0] of hook has accepted nothing") {
		t.Errorf("the mail says %q", l.text)
	}
}

func TestInvalidFileIsRefusedAndTheOldOneKept(t *testing.T) {
	h := newHook(t)
	file := write(t, mailing(lab.SMTP(t, lab.Options{}), h))
	a := open(t, alerts.Options{Source: alerts.Source{File: file}})
	if err := os.WriteFile(file, []byte("route: {receiver: nobody}\nreceivers: [{name: hook}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := a.Reload(alerts.Source{File: file})
	if _, ok := err.(diag.List); !ok || !strings.Contains(err.Error(), `there is no receiver "nobody"`) {
		t.Fatalf("got %v", err)
	}
	send(t, a, alert("page-down", "critical", "team", "web"))
	until(t, "the webhook is told", func() bool { return h.heard("page-down") })
}

func TestSilencesAndInhibitionsHoldBack(t *testing.T) {
	h := newHook(t)
	a := open(t, alerts.Options{Source: alerts.Source{File: write(t, mailing(lab.SMTP(t, lab.Options{}), h))}})
	id, err := a.Silence(t.Context(), alerts.Silence{Matchers: []string{`target=~"d.*"`}, Starts: time.Now(), Ends: time.Now().Add(time.Hour), By: "me", Comment: "why"})
	if err != nil {
		t.Fatal(err)
	}
	send(t, a, alert("silenced", "critical", "target", "db", "team", "web"), alert("cause", "critical", "target", "web", "team", "web"),
		alert("follows", "warning", "target", "web", "team", "web"))
	until(t, "the webhook is told", func() bool { return h.heard("cause") })
	states := map[string]alerts.Active{}
	for _, one := range a.Active(t.Context()) {
		states[one.Labels["alertname"]] = one
	}
	if s := states["silenced"]; s.State != "suppressed" || len(s.SilencedBy) != 1 || s.SilencedBy[0] != id {
		t.Errorf("silenced: %+v", s)
	}
	if s := states["follows"]; s.State != "suppressed" || len(s.InhibitedBy) != 1 || s.InhibitedBy[0] != states["cause"].Fingerprint {
		t.Errorf("follows: %+v", s)
	}
	if s := states["cause"]; s.State != "active" || fmt.Sprint(s.Receivers) != "[hook]" {
		t.Errorf("cause: %+v", s)
	}
	if h.heard("silenced is wrong") || h.heard("follows") {
		t.Error("what is held back was sent")
	}
	if err := a.Expire(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	until(t, "the webhook is told", func() bool { return h.heard("silenced is wrong") })
	list, err := a.Silences(t.Context())
	if err != nil || len(list) != 1 || list[0].State != "expired" || list[0].Matchers[0] != `target=~"d.*"` {
		t.Errorf("silences: %+v %v", list, err)
	}
}

func TestHoldEndsWhatNoLongerHolds(t *testing.T) {
	h := newHook(t)
	a := open(t, alerts.Options{Source: alerts.Source{File: write(t, mailing(lab.SMTP(t, lab.Options{}), h))}})
	one, two := alert("one", "critical", "team", "web"), alert("two", "critical", "team", "web")
	for _, held := range [][]alerts.Alert{{one, two}, {two}} {
		if err := a.Hold(t.Context(), "findings", held); err != nil {
			t.Fatal(err)
		}
	}
	if left := a.Active(t.Context()); len(left) != 1 || left[0].Labels["alertname"] != "two" {
		t.Errorf("left %+v", left)
	}
}

func TestAmtoolWorks(t *testing.T) {
	lab.Need(t, "amtool")
	a := open(t, alerts.Options{Source: alerts.Source{File: write(t, mailing(lab.SMTP(t, lab.Options{}), newHook(t)))}})
	server := httptest.NewServer(a.Handler("/alertmanager"))
	defer server.Close()
	amtool := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("amtool", append([]string{"--alertmanager.url=" + server.URL + "/alertmanager"}, args...)...).Output()
		if err != nil {
			t.Fatalf("amtool %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	amtool("alert", "add", "alertname=fire", "severity=critical", "--annotation=summary=smoke")
	if out := amtool("alert", "query", "fire"); !strings.Contains(out, "smoke") || !strings.Contains(out, "active") {
		t.Errorf("alert query: %s", out)
	}
	id := amtool("silence", "add", "alertname=fire", "--comment=drill", "--author=me", "--duration=1h")
	if out := amtool("silence", "query"); !strings.Contains(out, id) {
		t.Errorf("silence query: %s", out)
	}
	if out := amtool("alert", "query", "--silenced"); !strings.Contains(out, "suppressed") {
		t.Errorf("alert query --silenced: %s", out)
	}
	amtool("silence", "expire", id)
	if out := amtool("silence", "query"); strings.Contains(out, id) {
		t.Errorf("silence query after expire: %s", out)
	}
}

func TestSilencesOutliveTheProcess(t *testing.T) {
	dir, h := t.TempDir(), newHook(t)
	opt := alerts.Options{Source: alerts.Source{Notify: alerts.Notify{Webhook: h.URL}}, Dir: dir, System: "shop"}
	for _, want := range []int{0, 1} {
		a, err := alerts.Open(t.Context(), opt)
		if err != nil {
			t.Fatal(err)
		}
		list, err := a.Silences(t.Context())
		if err != nil || len(list) != want {
			t.Errorf("%d silences, want %d (%v)", len(list), want, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		if want == 0 {
			if _, err := a.Silence(ctx, alerts.Silence{Matchers: []string{"a=b"}, Starts: time.Now(), Ends: time.Now().Add(time.Hour), By: "me", Comment: "why"}); err != nil {
				t.Fatal(err)
			}
		}
		ended := make(chan error, 1)
		go func() { ended <- a.Run(ctx) }()
		time.Sleep(100 * time.Millisecond)
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
}

func TestPasswordIsNotShownByTheAPI(t *testing.T) {
	a := open(t, alerts.Options{Source: alerts.Source{Notify: alerts.Notify{Webhook: "http://127.0.0.1:1/hidden-part",
		Email: &alerts.Email{To: []string{"a@example.org"}, SMTP: "smtp://127.0.0.1:1", User: "me", Password: "hidden-part"}}}})
	answer := httptest.NewRecorder()
	a.Handler("/alertmanager").ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/alertmanager/api/v2/status", nil))
	var status struct{ Config struct{ Original string } }
	if err := json.Unmarshal(answer.Body.Bytes(), &status); err != nil || !strings.Contains(status.Config.Original, "upkeep-mail") {
		t.Fatalf("%v: %s", err, answer.Body)
	}
	if strings.Contains(answer.Body.String(), "hidden-part") {
		t.Error("the password is shown")
	}
}
