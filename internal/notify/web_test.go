package notify_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"upkeep/internal/notify"
)

// call is one request that a site got.
type call struct {
	path, body, form string
}

// site keeps what it is asked and answers with a status.
func site(t *testing.T, status int) (address string, calls *[]call) {
	calls = &[]call{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		*calls = append(*calls, call{r.URL.Path, string(body), r.Header.Get("Content-Type")})
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		io.WriteString(w, "said\nso")
	}))
	t.Cleanup(server.Close)
	return server.URL, calls
}

func TestPingsSayHowItWentAndBringTheEndOfTheLog(t *testing.T) {
	address, calls := site(t, 200)
	web := notify.Web{Version: "1"}
	for _, s := range []notify.Signal{notify.Start, notify.Success, notify.Fail} {
		must(t, web.Ping(t.Context(), address+"/ping/uuid", s, strings.Repeat("ü", notify.MostBody)+"the end"))
	}
	for i, path := range []string{"/ping/uuid/start", "/ping/uuid", "/ping/uuid/fail"} {
		got := (*calls)[i]
		if got.path != path || !strings.HasSuffix(got.body, "the end") || len(got.body) > notify.MostBody || strings.ContainsRune(got.body, '\uFFFD') {
			t.Errorf("%s with %d bytes, want %s", got.path, len(got.body), path)
		}
	}
}

func TestOnlyATakenMessageIsTaken(t *testing.T) {
	for status, taken := range map[int]bool{200: true, 204: true, 302: false, 404: false, 500: false} {
		address, calls := site(t, status)
		answer, err := notify.Web{}.Post(address+"/hook")(t.Context(), json.RawMessage(`{"a":1}`))
		if (err == nil) != taken || len(*calls) != 1 || (*calls)[0].form != "application/json" {
			t.Errorf("%d: %q, %v, %d calls", status, answer, err, len(*calls))
		}
	}
}

func TestAddressesAreSecrets(t *testing.T) {
	_, err := notify.Web{}.Post("http://127.0.0.1:1/hook/s3cret")(t.Context(), nil)
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%v", err)
	}
	if err := (notify.Web{}).Ping(t.Context(), "http://[s3cret", notify.Success, ""); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%v", err)
	}
	if _, err := (notify.Tracker{DSN: "nonsense-s3cret"}).Send(t.Context(), json.RawMessage("{}")); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%v", err)
	}
}

// envelope is what Sentry's protocol sends: lines of JSON.
func envelope(t *testing.T, body string) map[string]any {
	t.Helper()
	lines := bytes.Split([]byte(body), []byte("\n"))
	if len(lines) < 3 {
		t.Fatalf("no envelope: %q", body)
	}
	var header struct{ Type string }
	must(t, json.Unmarshal(lines[1], &header))
	var event map[string]any
	must(t, json.Unmarshal(lines[2], &event))
	if header.Type != "event" {
		t.Errorf("an item of type %q", header.Type)
	}
	return event
}

func TestErrorEventsSayWhatFailedAndNothingOfTheMachine(t *testing.T) {
	address, calls := site(t, 200)
	dsn := strings.Replace(address, "http://", "http://publickey@", 1) + "/42"
	e := notify.ErrorEvent{ID: strings.Repeat("ab", 16), At: time.Now(), System: "shop", Message: "backup failed", Tags: map[string]string{"verb": "backup"},
		Fingerprint: []string{"upkeep", "backup", "error.unreachable"}, Errors: []notify.ErrorLine{{ID: "error.unreachable", Title: "db does not answer"}},
		Context: map[string]any{"run": "20261122T020000-abcd"}}
	body, err := json.Marshal(e)
	must(t, err)
	if answer, err := (notify.Tracker{DSN: dsn, Version: "1.2"}).Send(t.Context(), body); err != nil {
		t.Fatal(answer, err)
	}
	got := (*calls)[0]
	event := envelope(t, got.body)
	if got.path != "/api/42/envelope/" || event["event_id"] != e.ID || event["release"] != "upkeep@1.2" || event["server_name"] != "shop" {
		t.Errorf("%s %v", got.path, event)
	}
	for _, unwanted := range []string{"modules", "user", "request", "threads", "breadcrumbs"} {
		if told, is := event[unwanted].(map[string]any); event[unwanted] != nil && (!is || len(told) > 0) {
			t.Errorf("it tells of %s: %v", unwanted, event[unwanted])
		}
	}
	if contexts := event["contexts"].(map[string]any); len(contexts) != 1 || contexts["upkeep"].(map[string]any)["run"] != "20261122T020000-abcd" {
		t.Errorf("contexts %v", contexts)
	}
	if strings.Contains(got.body, "stacktrace") {
		t.Errorf("it holds a stack: %s", got.body)
	}
}

func TestATrackerThatRefusesHasNotTakenIt(t *testing.T) {
	for _, status := range []int{400, 413, 429, 500} {
		address, _ := site(t, status)
		dsn := strings.Replace(address, "http://", "http://key@", 1) + "/42"
		if answer, err := (notify.Tracker{DSN: dsn}).Send(t.Context(), json.RawMessage(`{"message":"m"}`)); err == nil {
			t.Errorf("%d counts as taken: %q", status, answer)
		}
	}
}
