package lab

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// Browser is a Chromium without a window, spoken to over a pipe in its DevTools protocol
// (https://chromedevtools.github.io/devtools-protocol/). No name resolves in it.
type Browser struct {
	t    TB
	send *os.File

	mu      sync.Mutex
	next    int
	answers map[int]chan answer
	tabs    map[string]*Tab // by session
}

type answer struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

// Tab is one page in it.
type Tab struct {
	browser *Browser
	session string

	mu        sync.Mutex
	complains []string
	asked     []string
}

// View is what a page is looked at with.
type View struct {
	Width, Height int // of a window; up to 500 wide it is a phone
	Dark          bool
	Language      string // "zh-CN"; empty = English
}

// StartBrowser starts a Chromium for the length of one test.
func StartBrowser(t TB) *Browser {
	t.Helper()
	Need(t, "chromium")
	dir, err := tempDir()
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	t.Cleanup(func() { remove(t, dir) })
	b := &Browser{t: t, answers: map[int]chan answer{}, tabs: map[string]*Tab{}}
	cmd := exec.Command("chromium", "--headless", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--disable-sync", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
		"--user-data-dir="+dir, "--remote-debugging-pipe")
	cmd.Env = append(os.Environ(), "HOME="+dir)
	if os.Geteuid() == 0 {
		cmd.Args = append(cmd.Args, "--no-sandbox") // as root it refuses its own
	}
	if err := b.start(cmd); err != nil {
		t.Fatalf("lab: start chromium: %v", err)
	}
	t.Cleanup(func() { // closing its profile takes as long as its writing to it
		_, _ = b.call("", "Browser.close", nil)
		_ = cmd.Wait() // it was told to end
	})
	return b
}

func (b *Browser) start(cmd *exec.Cmd) error {
	toRead, send, err := os.Pipe()
	if err != nil {
		return err
	}
	receive, toWrite, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.ExtraFiles, b.send = []*os.File{toRead, toWrite}, send // 3 and 4, as it wants them
	if err := cmd.Start(); err != nil {
		return err
	}
	go b.listen(receive)
	return errors.Join(toRead.Close(), toWrite.Close())
}

// listen hands out what the browser says until it has gone.
func (b *Browser) listen(from *os.File) {
	in := bufio.NewReader(from)
	for {
		text, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var said struct {
			ID        int
			SessionID string
			Method    string
			Params    json.RawMessage
			answer
		}
		if json.Unmarshal(bytes.TrimSuffix(text, []byte{0}), &said) != nil {
			continue
		}
		b.mu.Lock()
		waiting, tab := b.answers[said.ID], b.tabs[said.SessionID]
		delete(b.answers, said.ID)
		b.mu.Unlock()
		switch {
		case said.ID > 0 && waiting != nil:
			waiting <- said.answer
		case tab != nil:
			tab.hears(said.Method, said.Params)
		}
	}
}

// answerWithin is how long the browser may take for anything.
const answerWithin = 30 * time.Second

func (b *Browser) call(session, method string, params any) (json.RawMessage, error) {
	b.mu.Lock()
	b.next++
	id, got := b.next, make(chan answer, 1)
	b.answers[id] = got
	b.mu.Unlock()
	if params == nil {
		params = struct{}{}
	}
	call := map[string]any{"id": id, "method": method, "params": params}
	if session != "" {
		call["sessionId"] = session
	}
	text, err := json.Marshal(call)
	if err == nil {
		_, err = b.send.Write(append(text, 0))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	select {
	case a := <-got:
		if a.Error != nil {
			return nil, fmt.Errorf("%s: %s", method, a.Error.Message)
		}
		return a.Result, nil
	case <-time.After(answerWithin):
		return nil, fmt.Errorf("%s: no answer within %s", method, answerWithin)
	}
}

// Open opens an address in a tab of its own and waits until all of it is there.
func (b *Browser) Open(address string, v View) *Tab {
	b.t.Helper()
	var made struct{ TargetID, SessionID string }
	b.must("", "Target.createTarget", map[string]any{"url": "about:blank"}, &made)
	b.must("", "Target.attachToTarget", map[string]any{"targetId": made.TargetID, "flatten": true}, &made)
	tab := &Tab{browser: b, session: made.SessionID}
	b.mu.Lock()
	b.tabs[made.SessionID] = tab
	b.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		tab.do(domain+".enable", nil)
	}
	tab.look(v)
	tab.Go(address)
	return tab
}

func (t *Tab) look(v View) {
	scheme, language := "light", v.Language
	if v.Dark {
		scheme = "dark"
	}
	if language == "" {
		language = "en-US"
	}
	t.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": v.Width, "height": v.Height, "deviceScaleFactor": 1, "mobile": v.Width <= 500})
	t.do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}})
	t.do("Network.setExtraHTTPHeaders", map[string]any{"headers": map[string]string{"Accept-Language": language}})
}

func (b *Browser) must(session, method string, params, into any) {
	b.t.Helper()
	result, err := b.call(session, method, params)
	if err == nil && into != nil {
		err = json.Unmarshal(result, into)
	}
	if err != nil {
		b.t.Fatalf("lab: chromium: %v", err)
	}
}

func (t *Tab) do(method string, params any) {
	t.browser.t.Helper()
	t.browser.must(t.session, method, params, nil)
}

// Go takes the tab to an address and waits until all of it is there.
func (t *Tab) Go(address string) {
	t.browser.t.Helper()
	t.do("Page.navigate", map[string]any{"url": address})
	t.Until(fmt.Sprintf("document.readyState === 'complete' && location.href !== 'about:blank' && %q.startsWith(location.origin)", address))
}

// hears keeps what a page complains of, and what it asks for.
func (t *Tab) hears(method string, params json.RawMessage) {
	var said struct {
		Type    string
		Args    []struct{ Value any }
		Entry   struct{ Level, Text, URL string }
		Request struct{ URL string }
		// of an exception
		ExceptionDetails struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	if json.Unmarshal(params, &said) != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case method == "Network.requestWillBeSent":
		t.asked = append(t.asked, said.Request.URL)
	case method == "Runtime.exceptionThrown":
		t.complains = append(t.complains, said.ExceptionDetails.Text+" "+said.ExceptionDetails.Exception.Description)
	case method == "Runtime.consoleAPICalled" && slices.Contains([]string{"error", "warning", "assert"}, said.Type):
		t.complains = append(t.complains, fmt.Sprint(said.Args))
	case method == "Log.entryAdded" && said.Entry.Level != "info" && said.Entry.Level != "verbose":
		t.complains = append(t.complains, said.Entry.Text+" "+said.Entry.URL)
	}
}

// Complaints are what the page's console had to say since the last call: errors, warnings,
// what its policy refused.
func (t *Tab) Complaints() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.complains
	t.complains = nil
	return all
}

// Asked are the addresses that the page has asked for.
func (t *Tab) Asked() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.asked)
}

// Eval computes an expression of JavaScript in the page; its value comes as JSON.
func (t *Tab) Eval(expression string) string {
	t.browser.t.Helper()
	var got struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	t.browser.must(t.session, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &got)
	if e := got.ExceptionDetails; e != nil {
		t.browser.t.Fatalf("lab: %s: %s %s", expression, e.Text, e.Exception.Description)
	}
	return string(got.Result.Value)
}

// Text is what stands on the page for a reader, blanks made one.
func (t *Tab) Text(selector string) string {
	t.browser.t.Helper()
	var text string
	raw := t.Eval(fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector))
	if err := json.Unmarshal([]byte(raw), &text); err != nil {
		t.browser.t.Fatalf("lab: text of %s: %v", selector, err)
	}
	return strings.Join(strings.Fields(text), " ")
}

// Until waits until an expression is true.
func (t *Tab) Until(expression string) {
	t.browser.t.Helper()
	for end := time.Now().Add(answerWithin); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if t.Eval("!!("+expression+")") == "true" {
			return
		}
	}
	t.browser.t.Fatalf("lab: %s did not become true within %s; the page says: %.600s", expression, answerWithin, t.Text("body"))
}

// Press presses one key: Tab, Enter.
func (t *Tab) Press(key string) {
	t.browser.t.Helper()
	codes := map[string]int{"Tab": 9, "Enter": 13}
	text := map[string]string{"Enter": "\r"}[key]
	for _, kind := range []string{"keyDown", "keyUp"} {
		params := map[string]any{"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
		if kind == "keyDown" && text != "" {
			params["text"] = text
		}
		t.do("Input.dispatchKeyEvent", params)
	}
}

// Picture is the whole page as a PNG.
func (t *Tab) Picture(path string) {
	t.browser.t.Helper()
	var size struct {
		CSSContentSize struct{ Width, Height float64 }
	}
	t.browser.must(t.session, "Page.getLayoutMetrics", nil, &size)
	clip := map[string]any{"x": 0, "y": 0, "width": size.CSSContentSize.Width, "height": size.CSSContentSize.Height, "scale": 1}
	var got struct{ Data string }
	t.browser.must(t.session, "Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true, "clip": clip}, &got)
	png, err := base64.StdEncoding.DecodeString(got.Data)
	if err == nil {
		err = os.WriteFile(path, png, 0o644)
	}
	if err != nil {
		t.browser.t.Fatalf("lab: picture %s: %v", path, err)
	}
}
