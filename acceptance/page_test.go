package acceptance

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"upkeep/lab"
)

// hostilePath is declared by somebody who wants a script to run in the page.
const hostilePath = `"><script>document.title="hit"</script><img src=x onerror=document.title="hit">`

// TestPage looks at the page of a real process over real servers, in a real browser: on a
// desktop and a phone, in both languages, light and dark. UPKEEP_PICTURES names a
// directory for what it saw.
func TestPage(t *testing.T) {
	lab.Need(t, "chromium")
	healthy := true
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !healthy {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer api.Close()
	s := newSystem(t, "")
	address := freeAddress(t)
	s.write("upkeep.yaml", strings.NewReplacer("DIR", s.dir, "DB", s.db.URL("cotdb"), "SECRET", s.db.PasswordFile, "CACHE", s.cache.URL("0"),
		"LISTEN", address, "API", api.URL, "HOSTILE", string(quoted(t, hostilePath))).Replace(pageDeclaration))
	proven, code := s.run("run", "daily")
	if code > 1 && code != 5 {
		t.Fatalf("upkeep run daily exited with %d:\n%s", code, proven.Raw)
	}
	serve := s.serve(address)
	browser := lab.StartBrowser(t)

	t.Run("what it says", func(t *testing.T) { says(t, s, browser, address) })
	t.Run("the same as JSON", func(t *testing.T) { saysJSON(t, address, proven.Get("run").String()) })
	t.Run("by itself", func(t *testing.T) {
		tab := browser.Open("http://"+address+"/", lab.View{Width: 1440, Height: 900})
		wants(t, tab.Text("#target-api"), "status 200")
		healthy = false
		tab.Until(`document.querySelector("#target-api .v").classList.contains("critical")`)
		// The process goes, the page stays and says so, until it is back.
		stop(t, serve)
		tab.Until(`!document.getElementById("offline").hidden`)
		wants(t, tab.Text("body"), "No answer from upkeep serve since", "gone", "api")
		_ = tab.Complaints() // of requests that nobody answered
		serve = s.serve(address)
		tab.Until(`document.getElementById("offline").hidden`)
		if said := complaints(tab); len(said) > 0 {
			t.Error(said)
		}
	})
	stop(t, serve)
}

const pageDeclaration = `system: cot-studio
state: state
scratch: {dir: DIR/scratch}
repository: {path: copies, password: file:repository.password}
listen: LISTEN
services:
  db:      {kind: postgres, url: "DB", password: "file:SECRET"}
  cache:   {kind: redis, url: "CACHE"}
  uploads: {kind: files, paths: [uploads]}
  api:     {kind: endpoint, url: "API"}
  mineru:  {kind: endpoint, url: "http://127.0.0.1:1/"}
  gone:    {kind: files, paths: [upkeep.yaml, HOSTILE]}
keep: {last: 3, daily: 7}
jobs:
  daily: {at: "02:00", do: [check, backup, verify, drill]}
monitor: {every: 2s, check: 10s}
`

// says opens every page and reads it as a person does.
func says(t *testing.T, s *system, browser *lab.Browser, address string) {
	run := s.must("runs").Get("runs.#(verb==\"run\").run").String()
	words := map[string]map[string][]string{
		"en": {
			"/":                  {"of 7", "need you. The last proven copy is", "mineru", "could not tell", "could lose at most", "back within", "measured", "daily", "in ", "repository of copies"},
			"/targets/mineru":    {"could not tell", "could not tell: no answer", "upkeep check mineru", "Runs that told of it"},
			"/targets/db":        {"postgres 15", "pg_stat_statements", "proven", "size_bytes", "entries"},
			"/targets/gone":      {hostilePath, "files.path-missing"},
			"/targets/nobody":    {"404", "There is no target", "To the first page"},
			"/runs/" + run:       {"daily", "check", "backup", "verify", "drill", "restored and equal:", "This copy is proven"},
			"/points":            {"The last proven copy is", "proven", "Kept by"},
			"/alerts":            {"fire", "error.unreachable", "mineru", "Nothing is silenced."},
			"/calendar":          {"Next: daily,", "job"},
			"/runs":              {"daily", "Runs"},
			"/nothing/like/this": {"404", "There is no page"},
		},
		"zh": {
			"/":               {"7 个目标中有", "需要处理", "最近一份已证明可恢复的备份", "无法判断", "最多丢失", "恢复用时", "daily"},
			"/targets/mineru": {"无法判断：没有应答", "upkeep check mineru"},
			"/runs/" + run:    {"已恢复且完全一致：", "这份备份已被证明可恢复"},
			"/points":         {"已证明", "保留规则"},
			"/alerts":         {"告警", "mineru"},
			"/calendar":       {"接下来：daily"},
		},
	}
	for _, view := range []lab.View{{Width: 1440, Height: 900, Language: "en"}, {Width: 390, Height: 844, Language: "zh-CN"},
		{Width: 1440, Height: 900, Language: "zh-CN", Dark: true}, {Width: 390, Height: 844, Language: "en", Dark: true}} {
		tab := browser.Open("http://"+address+"/", view)
		lang, _, _ := strings.Cut(view.Language, "-")
		for path, texts := range words[lang] {
			tab.Go("http://" + address + path)
			tab.Until(`document.querySelectorAll(".plot:not(:has(canvas))").length === 0`)
			wants(t, tab.Text("body"), texts...)
			if dir := os.Getenv("UPKEEP_PICTURES"); dir != "" {
				tab.Picture(filepath.Join(dir, fmt.Sprintf("%s %d %s.png", strings.ReplaceAll(path, "/", "_"), view.Width, lang)))
			}
			if wide := gjson.Parse(tab.Eval("document.documentElement.scrollWidth - innerWidth")).Int(); wide > 0 {
				t.Errorf("%s is %d pixels too wide for %d", path, wide, view.Width)
			}
			if title := tab.Eval("document.title"); strings.Contains(title, "hit") {
				t.Errorf("%s: a name ran as a script", path)
			}
			if said := complaints(tab); len(said) > 0 {
				t.Errorf("%s: the console says %v", path, said)
			}
		}
		if lang == "en" {
			for name, want := range map[string]string{"mineru": "unknown", "gone": "critical", "db": "warning", "uploads": "ok"} {
				tab.Go("http://" + address + "/")
				if got := tab.Eval(fmt.Sprintf(`[...document.querySelector("#target-%s .v").classList].includes(%q)`, name, want)); got != "true" {
					t.Errorf("%s is not shown as %s", name, want)
				}
			}
		}
		for _, asked := range tab.Asked() {
			if !strings.HasPrefix(asked, "http://"+address+"/") {
				t.Errorf("a page asks for %s", asked)
			}
		}
	}
}

// complaints are those that are not about a page that is not there.
func complaints(tab *lab.Tab) (all []string) {
	for _, said := range tab.Complaints() {
		if !strings.Contains(said, "the server responded with a status of 404") {
			all = append(all, said)
		}
	}
	return all
}

// saysJSON wants the data of each page at its address below /api/v1.
func saysJSON(t *testing.T, address, run string) {
	home := asked(t, address, "/api/v1/")
	for path, want := range map[string]string{"system": "cot-studio", `targets.#(target=="mineru").verdict`: "unknown", `targets.#(target=="uploads").verdict`: "ok",
		`targets.#(target=="gone").findings.0.id`: "files.path-missing", "next.0.name": "daily", "next.0.sort": "job"} {
		if got := home.Get(path).String(); got != want {
			t.Errorf("home: %s is %q, want %q", path, got, want)
		}
	}
	if title := home.Get(`targets.#(target=="gone").findings.0.title`).String(); !strings.Contains(title, hostilePath) {
		t.Errorf("the finding says %q", title)
	}
	if lose := home.Get("copies.could_lose_s"); lose.Type != gjson.Number || home.Get("copies.days.#").Int() != 14 {
		t.Errorf("copies: %s", home.Get("copies").Raw)
	}
	points := asked(t, address, "/api/v1/points")
	if points.Get("points_list.0.state").String() != "proven" || points.Get("proven").String() != points.Get("points_list.0.point").String() {
		t.Errorf("points: %s", points.Raw)
	}
	if one := asked(t, address, "/api/v1/runs/"+run); one.Get("job").String() != "daily" || one.Get("verbs.#").Int() != 4 || one.Get("state").String() != "ended" {
		t.Errorf("run: %s", one.Raw)
	}
	if one := asked(t, address, "/api/v1/targets/db"); one.Get("facts.version").String() == "" || one.Get("copies.0.state").String() != "proven" {
		t.Errorf("target: %s", one.Raw)
	}
	if got := asked(t, address, "/api/v1/alerts").Get(`active.#(target=="mineru").severity`).String(); got != "warning" {
		t.Errorf("the alert of mineru is %q", got)
	}
	if got := asked(t, address, "/api/v1/targets/nobody"); got.Get("error.id").String() != "web.no-target" || got.Get("status").Int() != 404 {
		t.Errorf("nobody: %s", got.Raw)
	}
}

func asked(t *testing.T, address, path string) gjson.Result {
	t.Helper()
	answer, err := http.Get("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || !gjson.ValidBytes(body) {
		t.Fatalf("%s: %v\n%s", path, err, body)
	}
	return gjson.ParseBytes(body)
}

// serve starts upkeep serve and waits until its page answers.
func (s *system) serve(address string) *exec.Cmd {
	s.t.Helper()
	cmd := s.command("serve")
	log, err := os.OpenFile(s.path("serve.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		cmd.Stdout, cmd.Stderr = log, log
		err = cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = cmd.Process.Kill() })
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		checked := false
		if answer, err := http.Get("http://" + address + "/api/v1/"); err == nil {
			var v struct {
				Reading bool
				Targets []struct{ Checked *time.Time }
			}
			checked = json.NewDecoder(answer.Body).Decode(&v) == nil && !v.Reading && len(v.Targets) > 0 && v.Targets[0].Checked != nil
			answer.Body.Close()
		}
		if checked {
			return cmd
		}
	}
	text, _ := os.ReadFile(s.path("serve.log"))
	s.t.Fatalf("the page does not answer:\n%s", text)
	return nil
}

func stop(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("upkeep serve: %v", err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func quoted(t *testing.T, text string) []byte {
	t.Helper()
	out, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// wants fails for texts that are not in what a reader sees.
func wants(t *testing.T, read string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(read, strings.Join(strings.Fields(text), " ")) {
			t.Errorf("%q is not on the page:\n%.1500s", text, read)
		}
	}
}
