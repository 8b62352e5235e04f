package web_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/lab"
)

// TestInABrowser looks at every page on a desktop and on a phone, in both languages, light
// and dark. UPKEEP_PICTURES names a directory for what it saw.
func TestInABrowser(t *testing.T) {
	lab.Need(t, "chromium")
	l := newFixture(t)
	l.does(t, "check", "backup", "verify", "drill", "drill", "backup", "drill", "check")
	job, err := l.RunJob(t.Context(), "daily")
	if err != nil {
		t.Fatal(err)
	}
	l.now = l.now.Add(3 * time.Hour)
	server := httptest.NewServer(l.page)
	defer server.Close()
	browser := lab.StartBrowser(t)
	for name, view := range map[string]lab.View{
		"desktop": {Width: 1440, Height: 900}, "phone": {Width: 390, Height: 844, Language: "zh-CN"},
		"dark": {Width: 1440, Height: 900, Dark: true, Language: "zh-CN"}, "dark phone": {Width: 390, Height: 844, Dark: true},
	} {
		tab := browser.Open(server.URL+"/", view)
		for page, path := range map[string]string{"home": "/", "target": "/targets/machine", "bad target": "/targets/workers", "run": "/runs/" + job.ID, "runs": "/runs", "points": "/points",
			"alerts": "/alerts", "calendar": "/calendar", "nothing": "/targets/nobody"} {
			tab.Go(server.URL + path)
			tab.Until(`document.querySelectorAll(".plot:not(:has(canvas))").length === 0`)
			if dir := os.Getenv("UPKEEP_PICTURES"); dir != "" {
				tab.Picture(filepath.Join(dir, page+", "+name+".png"))
			}
			if got := tab.Eval("document.documentElement.scrollWidth - innerWidth"); got != "0" && !strings.HasPrefix(got, "-") {
				t.Errorf("%s on %s is %s pixels too wide", page, name, got)
			}
			if page == "nothing" {
				_ = tab.Complaints() // of its status
			} else if said := tab.Complaints(); len(said) > 0 {
				t.Errorf("%s on %s: %v", page, name, said)
			}
		}
		for _, address := range tab.Asked() {
			if !strings.HasPrefix(address, server.URL+"/") {
				t.Errorf("%s asks for %s", name, address)
			}
		}
	}
}

// TestKeyboardAndLostConnection works without a mouse, and sees the process go.
func TestKeyboardAndLostConnection(t *testing.T) {
	lab.Need(t, "chromium")
	l := newFixture(t)
	l.does(t, "check")
	server := httptest.NewServer(l.page)
	defer server.Close()
	tab := lab.StartBrowser(t).Open(server.URL+"/", lab.View{Width: 1440, Height: 900})
	tab.Press("Tab")
	if got := tab.Eval(`document.activeElement.className + getComputedStyle(document.activeElement).outlineStyle`); got != `"skipsolid"` {
		t.Errorf("the first stop is %s", got)
	}
	tab.Press("Enter")
	tab.Until(`document.activeElement.id === "main"`)
	tab.Press("Tab")
	tab.Until(`document.activeElement.id === "target-workers"`)
	// What is asked for again keeps the place of whoever reads.
	l.now = l.now.Add(5 * time.Minute)
	tab.Eval(`htmx.trigger("#live", "refresh")`)
	tab.Until(`document.querySelector("#target-workers .since").innerText.includes("1 h")`)
	if got := tab.Eval(`document.activeElement.id`); got != `"target-workers"` {
		t.Errorf("after asking again the reader is at %s", got)
	}
	tab.Press("Enter")
	tab.Until(`location.pathname === "/targets/workers" && document.readyState === "complete"`)
	if said := tab.Complaints(); len(said) > 0 {
		t.Error(said)
	}
	server.CloseClientConnections()
	server.Close()
	tab.Eval(`htmx.trigger("#live", "refresh")`)
	tab.Until(`!document.getElementById("offline").hidden`)
	wants(t, tab.Text("#offline"), "No answer from upkeep serve since")
	wants(t, tab.Text("#live"), "workers", "1,204 messages") // what is known stays
}
