package web_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"upkeep/internal/catalogue"
	"upkeep/internal/control"
	"upkeep/internal/journal"
	"upkeep/internal/service"
	"upkeep/internal/surface/web"
)

// wants fails for texts that are not on a page, as markup or as what is read, and for those
// behind "!" that are.
func wants(t *testing.T, page string, texts ...string) {
	t.Helper()
	if _, body, is := strings.Cut(page, "</nav>"); is {
		page = body
	}
	read := strings.Join(strings.Fields(tag.ReplaceAllString(page, " ")), " ")
	for _, text := range texts {
		unwanted, not := strings.CutPrefix(text, "!")
		if found := strings.Contains(page, unwanted) || strings.Contains(read, unwanted); found == not {
			t.Errorf("%q is on the page: %v\n%s", unwanted, found, read)
		}
	}
}

var tag = regexp.MustCompile(`<[^>]*>`)

// TestPages asks for every page of a system that the program has looked at, copied and
// proven.
func TestPages(t *testing.T) {
	l := newFixture(t)
	l.does(t, "check", "backup", "verify", "drill")
	job, err := l.RunJob(t.Context(), "daily")
	if err != nil {
		t.Fatal(err)
	}
	l.now = l.now.Add(3 * time.Hour)
	for name, test := range map[string]func(*testing.T, *fixture, journal.Run){
		"home": home, "home in JSON": homeJSON, "home in Chinese": homeChinese, "parts that do not run here": without, "old checks": stale,
		"target": target, "run": runPage, "history": history, "points": points, "alerts": alerts, "calendar": calendar,
		"hostile names": hostileNames, "no message is missing": spoken,
	} {
		t.Run(name, func(t *testing.T) { test(t, l, job) })
	}
}

func home(t *testing.T, l *fixture, _ journal.Run) {
	page := l.get(t, "/", http.StatusOK)
	wants(t, page, `<em class="critical">4 of 7</em>`, "4 of 7 need you. The last proven copy is 3 h old.",
		"This copy is proven.", `<code>upkeep`, // the sentence of the newest runs, as in every report
		`class="v critical"`, "workers", "queue &#34;files&#34; has 1,204 messages and no consumer", "<code>upkeep check workers</code>", "and 1 more",
		`class="v warning"`, "db", "postgres 15.18", "43 % bloat",
		`class="v unknown" role="img" aria-label="could not tell"`, "api", "could not tell: ",
		`class="v ok"`, "cache", "112,904 keys", "no samples",
		"Last 24 hours", "daily", "could lose at most 3 h since", "back within", "measured",
		"monthly/tls-renewal", "overdue", "daily", "in 6 h", "machine disk /", "132 GB of 200 GB")
	if got := strings.Count(page, `class="p proven"`); got != 2 { // one day and the legend
		t.Errorf("%d bars are proven", got)
	}
}

func homeJSON(t *testing.T, l *fixture, _ journal.Run) {
	var v struct {
		Verdict string
		Need    int
		Of      int
		Targets []struct {
			Target, Verdict string
			Since           *time.Time
			Checked         *time.Time
			Findings        []struct{ ID, Fix string }
			Trend           *struct{ Points [][2]*float64 }
		}
		Copies struct {
			CouldLose float64 `json:"could_lose_s"`
			Days      []struct{ State string }
		}
		Errors map[string]any
	}
	l.asks(t, "/api/v1/", &v)
	if v.Verdict != "critical" || v.Need != 4 || v.Of != 7 || len(v.Errors) > 0 || v.Copies.CouldLose < 3*3600 || len(v.Copies.Days) != 14 {
		t.Errorf("%+v", v)
	}
	var order []string
	for _, one := range v.Targets {
		order = append(order, one.Target+" "+one.Verdict)
		if one.Since == nil || one.Checked == nil {
			t.Errorf("%s: no time", one.Target)
		}
		if has := one.Trend != nil; has != slices.Contains([]string{"api", "db", "machine", "workers"}, one.Target) {
			t.Errorf("%s has a trend: %v", one.Target, has)
		}
	}
	if got := strings.Join(order, ", "); got != "workers critical, db warning, upkeep warning, api unknown, objects ok, cache ok, machine ok" {
		t.Error(got)
	}
}

func homeChinese(t *testing.T, l *fixture, _ journal.Run) {
	for _, ask := range [][]string{{"/?lang=zh"}, {"/", "Accept-Language", "fr, zh-CN;q=0.9, en;q=0.8"}} {
		page := l.get(t, ask[0], http.StatusOK, ask[1:]...)
		wants(t, page, "7 个目标中有 4 个 需要处理。最近一份已证明可恢复的备份是 3 小时前的。", "队列“files”积压 1,204 条消息", "无法判断：", "最多丢失 3 小时")
	}
	l.language = "zh"
	defer func() { l.language = "" }()
	wants(t, l.get(t, "/", http.StatusOK), "需要处理", `href="/targets/workers"`)
	wants(t, l.get(t, "/", http.StatusOK, "Accept-Language", "en-GB"), "need you", `href="/?lang=zh"`)
	wants(t, l.get(t, "/?lang=en", http.StatusOK), "need you", `href="/points?lang=en"`, `href="/targets/workers?lang=en"`)
}

func without(t *testing.T, l *fixture, _ journal.Run) {
	l.measures, l.schedules = false, false
	defer func() { l.measures, l.schedules = true, true }()
	wants(t, l.get(t, "/", http.StatusOK), "No trends: no samples are kept yet.", "This process does not run jobs.", "!spark ")
	wants(t, l.get(t, "/targets/db", http.StatusOK), "This process keeps no samples.")
	wants(t, l.get(t, "/alerts", http.StatusOK), "Whether an alert fires could not be told.", "No rules are evaluated here.")
	wants(t, l.get(t, "/calendar", http.StatusOK), "This process does not run jobs.")
}

// An ok that is too old is no ok.
func stale(t *testing.T, l *fixture, _ journal.Run) {
	before := l.now
	l.fresh, l.now = time.Second, l.now.Add(time.Minute)
	defer func() { l.fresh, l.now = 0, before }()
	page := l.get(t, "/", http.StatusOK)
	wants(t, page, "7 of 7", `class="v unknown"`, "Could not tell: the last check is too old. It said ok,", "<time", `!class="v ok" role="img" aria-label="ok"><title>ok</title><use href="#ok"></use></svg> <span class="name"><b>cache`)
}

func target(t *testing.T, l *fixture, _ journal.Run) {
	wants(t, l.get(t, "/targets/db", http.StatusOK), `class="v warning"`, "db", "postgres 15.18", "warning for", "checked",
		"43 % bloat", "<code>upkeep maintain db</code>", "postgres.bloat", "docs/runbooks/postgres.bloat.md", "Runs that told of it", "check",
		"Facts", "size_bytes", `title="791,674,880 B"`, "792 MB", "Measured", `aria-current="true"`, "Connections", "data-plot=")
	wants(t, l.get(t, "/targets/objects", http.StatusOK), "Nothing was found.", "proven", "Copies All")
	wants(t, l.get(t, "/targets/machine", http.StatusOK), "mounts · / · size_bytes", "200 GB", "!Copies All")
	wants(t, l.get(t, "/targets/nobody", http.StatusNotFound), "404", "There is no target", "nobody", "There are:", `href="/targets/api"`, "To the first page")
	var v struct {
		Target, Verdict string
		Facts           map[string]any
		Charts          []struct {
			ID, Expr string
			Series   []struct{ Points [][2]*float64 }
		}
		Runs   []struct{ Run string }
		Copies []struct{ State string }
	}
	l.asks(t, "/api/v1/targets/db?span=24h", &v)
	if v.Target != "db" || v.Verdict != "warning" || v.Facts["version"] != "15.18" || len(v.Charts) != 3 || len(v.Runs) < 2 {
		t.Errorf("%+v", v)
	}
	if expr := v.Charts[0].Expr; expr != `sum(pg_stat_database_numbackends{system="cot-studio",target="db"})` {
		t.Error(expr)
	}
}

func runPage(t *testing.T, l *fixture, job journal.Run) {
	page := l.get(t, "/runs/"+job.ID, http.StatusOK)
	wants(t, page, "daily", job.ID, "check", "queue &#34;files&#34;", "backup", "verify", "drill", "JSON", "!data-refresh")
	var v struct {
		State, Job string
		Verbs      []struct {
			Verb, Verdict string
			Targets       []struct{ Target string }
		}
	}
	l.asks(t, "/api/v1/runs/"+job.ID, &v)
	if v.State != "ended" || v.Job != "daily" || len(v.Verbs) != 5 || v.Verbs[0].Verdict != "critical" {
		t.Errorf("%+v", v)
	}
	for _, none := range []string{"20261122T140000-ffff", "latest", "2026", "..%2f..", "%00", strings.Repeat("9", 300)} {
		l.get(t, "/runs/"+none, http.StatusNotFound)
		l.get(t, "/api/v1/runs/"+none, http.StatusNotFound)
	}
}

func history(t *testing.T, l *fixture, job journal.Run) {
	wants(t, l.get(t, "/runs", http.StatusOK), "daily", `data-refresh="15"`)
	wants(t, l.get(t, "/runs?before="+job.ID, http.StatusOK), "drill", "verify", "backup", "!data-refresh")
	l.get(t, "/runs?before=nothing", http.StatusNotFound)
}

func points(t *testing.T, l *fixture, _ journal.Run) {
	wants(t, l.get(t, "/points", http.StatusOK), "The last proven copy is 3 h old.", "Its drill found equal:", "could lose at most", "proven", "Too few drills for a line")
	var v struct {
		Proven     string
		PointsList []struct {
			Point, State string
			Bytes        int64
			KeptBy       []string `json:"kept_by"`
		} `json:"points_list"`
	}
	l.asks(t, "/api/v1/points", &v)
	i := slices.IndexFunc(v.PointsList, func(p struct {
		Point, State string
		Bytes        int64
		KeptBy       []string `json:"kept_by"`
	}) bool {
		return p.State == "proven"
	})
	if v.Proven == "" || i < 0 || v.PointsList[i].Point != v.Proven || len(v.PointsList[i].KeptBy) == 0 {
		t.Errorf("%+v", v)
	}
}

func alerts(t *testing.T, l *fixture, _ journal.Run) {
	wants(t, l.get(t, "/alerts", http.StatusOK), "2 alerts fire.", "Firing", "QueueUnattended", "<code>upkeep check workers</code>", "DiskFillsUp", "Kept quiet", "Latency", "silenced by a1b2",
		"Silences", "alertname=&#34;Latency&#34;", "Rules that can never fire", "CeleryDown", "celery_worker_up", "Odd", "unclosed parenthesis", "cannot be evaluated", "InstanceDown")
	wants(t, l.get(t, "/", http.StatusOK), "4 of 7")
	if !strings.Contains(l.get(t, "/", http.StatusOK), `<span class="n">2</span>`) {
		t.Error("the navigation does not count alerts")
	}
	var v struct{ Active, Suppressed, Silences, Rules, Lint []any }
	l.asks(t, "/api/v1/alerts", &v)
	if len(v.Active) != 2 || len(v.Suppressed) != 1 || len(v.Silences) != 1 || len(v.Rules) != 3 || len(v.Lint) != 1 {
		t.Errorf("%+v", v)
	}
}

func calendar(t *testing.T, l *fixture, _ journal.Run) {
	wants(t, l.get(t, "/calendar", http.StatusOK), "1 thing is overdue.", "monthly/tls-renewal", "daily", "in 6 h", "weekly job until Tue 12:00")
}

// hostileNames wants them as text, and nowhere as markup.
func hostileNames(t *testing.T, l *fixture, job journal.Run) {
	for _, path := range []string{"/", "/targets/workers", "/alerts", "/runs/" + job.ID, "/targets/" + `%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E`} {
		status := http.StatusOK
		if strings.Contains(path, "%") {
			status = http.StatusNotFound
		}
		for _, lang := range []string{"en", "zh"} {
			page := l.get(t, path+"?lang="+lang, status)
			if strings.Contains(page, "<script>alert") || strings.Contains(page, "<img") {
				t.Errorf("%s: a name became markup", path)
			}
			if !strings.Contains(page, "&lt;script&gt;alert(1)") {
				t.Errorf("%s: the name is not there", path)
			}
		}
	}
}

// spoken wants words for everything on every page.
func spoken(t *testing.T, l *fixture, job journal.Run) {
	for _, path := range []string{"/", "/targets/workers", "/targets/machine", "/targets/nobody", "/runs", "/runs/" + job.ID, "/points", "/alerts", "/calendar", "/nothing"} {
		for _, lang := range []string{"en", "zh"} {
			r := httptest.NewRequest(http.MethodGet, path+"?lang="+lang, nil)
			w := httptest.NewRecorder()
			l.page.ServeHTTP(w, r)
			if missing := regexp.MustCompile(`![a-z]+\.[a-z-]+`).FindString(w.Body.String()); missing != "" {
				t.Errorf("%s in %s lacks %s", path, lang, missing)
			}
		}
	}
}

func TestBeforeAnything(t *testing.T) {
	l := newFixture(t)
	wants(t, l.get(t, "/", http.StatusOK), "6 of 6", "There is no copy of your data.", `class="v unknown"`, "Not checked yet.", "<code>upkeep check api</code>", "Nothing ran.", "There is no copy yet.", "<code>upkeep backup</code>", `!class="v ok"`)
	wants(t, l.get(t, "/points", http.StatusOK), "There is no copy of your data.", "<code>upkeep drill</code>")
	wants(t, l.get(t, "/runs", http.StatusOK), "There is no run yet.")
	wants(t, l.get(t, "/targets/db", http.StatusOK), "Not checked yet.", "!Copies")
}

func TestARunThatGoesOnAndOneThatWasLeft(t *testing.T) {
	l := newFixture(t)
	j, err := l.Journal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	run := journal.Run{ID: "20261122T135800-abcd", System: "cot-studio", Verb: "check", Started: l.now.Add(-2 * time.Minute), Args: []byte(`{"verb":"check"}`)}
	if err := j.Begin(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	wants(t, l.get(t, "/", http.StatusOK), "check was cut off", "waits to be resumed")
	wants(t, l.get(t, "/runs/"+run.ID, http.StatusOK), `class="v unknown"`, "waits to be resumed", "<code>upkeep run --resume 20261122T135800-abcd</code>", "!data-refresh")
	// A check that is at work asks for the page meanwhile.
	asked := ""
	run = l.watched(t, func(id string) { asked = l.get(t, "/runs/"+id, http.StatusOK) })
	wants(t, asked, "at work", `data-refresh="2"`)
	wants(t, l.get(t, "/runs/"+run.ID, http.StatusOK), "took", "!data-refresh", "!at work")
}

func TestWhatCannotBeShown(t *testing.T) {
	l := newFixture(t)
	wants(t, l.get(t, "/nothing", http.StatusNotFound), "404", "There is no page /nothing", "To the first page")
	wants(t, l.get(t, "/api/v1/nothing", http.StatusNotFound), `"status": 404`, `"id": "web.no-page"`)
	l.fails = errors.Join(service.ErrUnreachable, errors.New("the journal is gone"))
	wants(t, l.get(t, "/", http.StatusInternalServerError), "500", "the journal is gone", "To the first page")
	wants(t, l.get(t, "/api/v1/", http.StatusInternalServerError), `"detail": "`)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, "BREW"} {
		w := httptest.NewRecorder()
		l.page.ServeHTTP(w, httptest.NewRequest(method, "/", strings.NewReader("x")))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
}

func TestFilesAndHeaders(t *testing.T) {
	l := newFixture(t)
	page := l.get(t, "/", http.StatusOK)
	if found := regexp.MustCompile(`https?://`).FindString(page); found != "" {
		t.Error("the page names another site")
	}
	if found := regexp.MustCompile(` style=| on[a-z]+=|<style|<script>`).FindString(page); found != "" {
		t.Errorf("the page has %q in line", found)
	}
	for _, path := range regexp.MustCompile(`/assets/[a-z]+\.[0-9a-f]{12}\.(js|css|svg)`).FindAllString(page, -1) {
		for encoding, want := range map[string]string{"": "", "gzip, br": "gzip"} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Header.Set("Accept-Encoding", encoding)
			w := httptest.NewRecorder()
			l.page.ServeHTTP(w, r)
			h := w.Header()
			if w.Code != http.StatusOK || w.Body.Len() < 100 || h.Get("Content-Encoding") != want || !strings.Contains(h.Get("Cache-Control"), "immutable") || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s %q: %d %v", path, encoding, w.Code, h)
			}
			r.Header.Set("If-None-Match", h.Get("ETag"))
			again := httptest.NewRecorder()
			if l.page.ServeHTTP(again, r); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
				t.Errorf("%s again: %d", path, again.Code)
			}
		}
	}
	l.get(t, "/assets/page.js", http.StatusNotFound)
	w := httptest.NewRecorder()
	l.page.ServeHTTP(w, httptest.NewRequest(http.MethodHead, "/", nil))
	if policy := w.Header().Get("Content-Security-Policy"); w.Code != http.StatusOK || !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || len(w.Result().Cookies()) > 0 {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// watched submits a check and looks while it is at work.
func (l *fixture) watched(t *testing.T, look func(id string)) journal.Run {
	t.Helper()
	looked, begun := make(chan struct{}), make(chan struct{})
	l.asked = sync.OnceFunc(func() { close(begun); <-looked })
	ended := make(chan journal.Run, 1)
	go func() {
		run, err := l.Submit(context.Background(), control.Request{Verb: "check"})
		if err != nil {
			t.Error(err)
		}
		ended <- run
	}()
	<-begun
	runs, _, err := l.Runs(t.Context(), journal.Query{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	look(runs[0].ID)
	close(looked)
	return <-ended
}

// What came from elsewhere is as it came, and stands in the README with its digest.
func TestFilesFromElsewhereAreUnchanged(t *testing.T) {
	readme, err := os.ReadFile("assets/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"htmx.js", "uplot.js", "uplot.css"} {
		body, err := os.ReadFile("assets/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("%x  %s\n", sha256.Sum256(body), name); !strings.Contains(string(readme), want) {
			t.Errorf("the README does not name %s", want)
		}
	}
}

func BenchmarkHome(b *testing.B) {
	l := newFixture(b)
	for range 100 {
		l.does(b, "check")
	}
	l.does(b, "backup", "verify", "drill")
	l.get(b, "/", http.StatusOK) // reads the points
	for b.Loop() {
		w := httptest.NewRecorder()
		l.page.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}

func TestWordsAreWhole(t *testing.T) {
	texts, err := catalogue.New(web.Words())
	if err == nil {
		err = texts.Check()
	}
	if err != nil {
		t.Error(err)
	}
}
