package endpoint

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"upkeep/internal/service/servicetest"
)

func TestRequestCarriesWhatWasDeclared(t *testing.T) {
	t.Setenv("UPKEEP_TEST_TOKEN", "t0ken")
	var got *http.Request
	at := serving(t, func(_ http.ResponseWriter, r *http.Request) { got = r })
	check(t, point(t, servicetest.Env(t), at+"/health?deep=1", `
method: POST
headers: {Accept: application/json, host: app.example.org}
secret_headers: {X-Api-Key: env:UPKEEP_TEST_TOKEN}
bearer: env:UPKEEP_TEST_TOKEN
`))
	h := got.Header
	if got.Method != "POST" || got.Host != "app.example.org" || got.RequestURI != "/health?deep=1" ||
		h.Get("Accept") != "application/json" || h.Get("X-Api-Key") != "t0ken" || h.Get("Authorization") != "Bearer t0ken" {
		t.Errorf("sent %s %s to %s with %v", got.Method, got.RequestURI, got.Host, h)
	}
	check(t, point(t, servicetest.Env(t), at, "user: me\npassword: env:UPKEEP_TEST_TOKEN"))
	if user, password, _ := got.BasicAuth(); user != "me" || password != "t0ken" {
		t.Errorf("logged in as %s with %s", user, password)
	}
}

func TestSecretThatWouldForgeAHeaderIsRefusedAndNotShown(t *testing.T) {
	t.Setenv("UPKEEP_TEST_TOKEN", "t0ken\r\nX-Forged: yes")
	asked := false
	at := serving(t, func(http.ResponseWriter, *http.Request) { asked = true })
	for _, keys := range []string{"secret_headers: {X-Api-Key: env:UPKEEP_TEST_TOKEN}", "bearer: env:UPKEEP_TEST_TOKEN"} {
		_, err := point(t, servicetest.Env(t), at, keys).Check(t.Context())
		if err == nil || strings.Contains(err.Error(), "t0ken") || asked {
			t.Errorf("error is %v, asked %v", err, asked)
		}
	}
}

func TestSecretsNeverShowInWhatIsFound(t *testing.T) {
	t.Setenv("UPKEEP_TEST_TOKEN", "t0ken")
	at := serving(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/login?back=t0ken")
		w.Header().Set("X-Echo", r.Header.Get("X-Api-Key"))
		w.WriteHeader(http.StatusFound)
	})
	login := strings.Replace(at, "http://", "http://me:t0ken@", 1)
	got, facts := check(t, point(t, servicetest.Env(t), login+"/?key=t0ken", "secret_headers: {X-Api-Key: env:UPKEEP_TEST_TOKEN}"))
	if got["redirected"].Args["to"] != at+"/login?…" {
		t.Errorf("found %s", slugs(got))
	}
	if said := slugs(got); strings.Contains(said, "t0ken") || facts["status"] != 302 {
		t.Errorf("shows %s, facts %v", said, facts)
	}
}

func TestRedirectsAreFollowedOnlyWhenDeclared(t *testing.T) {
	at := serving(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/there" {
			http.Redirect(w, r, "/there", http.StatusMovedPermanently)
		}
	})
	if got, _ := check(t, point(t, servicetest.Env(t), at, "follow_redirects: true")); len(got) > 0 {
		t.Errorf("found %s", slugs(got))
	}
	if got, _ := check(t, point(t, servicetest.Env(t), at, "expect: {status: 301}")); len(got) > 0 {
		t.Errorf("found %s", slugs(got))
	}
}

func TestRedirectLoopEnds(t *testing.T) {
	asked := 0
	at := serving(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, "/?n="+strings.Repeat("x", asked), http.StatusFound)
	})
	got, _ := check(t, point(t, servicetest.Env(t), at, "follow_redirects: true"))
	if got["redirect-loop"].ID == "" || asked != mostRedirects+1 {
		t.Errorf("found %s after %d requests", slugs(got), asked)
	}
}

func TestHostileLocationIsNoCrash(t *testing.T) {
	for _, location := range []string{"http://[::1", "://", "javascript:alert(1)", "http://h/%zz", ""} {
		at := rawServer(t, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "+location+"\r\n\r\n")
		for _, follow := range []string{"true", "false"} {
			v, err := point(t, servicetest.Env(t), at, "follow_redirects: "+follow).Check(t.Context())
			if err == nil && len(v.Findings) == 0 {
				t.Errorf("%q followed %s is fine", location, follow)
			}
		}
	}
}

func TestSecretsStayWithTheDeclaredHost(t *testing.T) {
	t.Setenv("UPKEEP_TEST_TOKEN", "t0ken")
	var strange http.Header
	other := serving(t, func(_ http.ResponseWriter, r *http.Request) { strange = r.Header })
	visits := 0
	var again http.Header
	home := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if visits++; visits == 1 {
			http.Redirect(w, r, "/second", http.StatusFound)
			return
		}
		again = r.Header
		http.Redirect(w, r, other, http.StatusFound)
	}))
	defer home.Close()
	if u, err := url.Parse(home.URL); err != nil || u.Host == "" {
		t.Fatal(err)
	}
	check(t, point(t, servicetest.Env(t), home.URL+"/?key=t0ken", `
follow_redirects: true
bearer: env:UPKEEP_TEST_TOKEN
secret_headers: {X-Token: env:UPKEEP_TEST_TOKEN, Cookie: env:UPKEEP_TEST_TOKEN}
`))
	if again.Get("X-Token") != "t0ken" {
		t.Errorf("the declared host got %v", again)
	}
	for name, values := range strange {
		if strings.Contains(strings.Join(values, ""), "t0ken") {
			t.Errorf("another host got %s: %v", name, values)
		}
	}
	if strange == nil {
		t.Error("the other host was not asked")
	}
}
