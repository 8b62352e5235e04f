package acceptance

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// site is a web server whose answer the script chooses.
type site struct {
	server *httptest.Server

	mu     sync.Mutex
	asked  int
	got    []request
	status int
	body   string
	header map[string]string
	delay  time.Duration
	wants  string // value of the Authorization header; empty lets everybody in
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	s.asked++
	s.keep(request{r.Method, r.URL.Path, r.Header.Get("Content-Type"), string(sent)})
	status, body, header, delay, wants := s.status, s.body, s.header, s.delay, s.wants
	s.mu.Unlock()
	if wants != "" && r.Header.Get("Authorization") != wants {
		status, body = http.StatusUnauthorized, "who are you?\n"
	}
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
		return
	}
	for name, value := range header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

// request is what somebody asked of a web server.
type request struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Form   string `json:"form"`
	Body   string `json:"body"`
}

// keptRequests is how many are kept: a server that is checked each second is asked a lot.
const keptRequests = 1000

func (s *site) keep(r request) {
	if s.got = append(s.got, r); len(s.got) > keptRequests {
		s.got = s.got[1:]
	}
}

// web-got NAME [SECONDS TEXT]: prints the requests it got, each as one line of JSON; with a
// text it waits until one of them has it.
func webGot(ts *testscript.TestScript, _ bool, args []string) {
	s := findSite(ts, args[0])
	all := s.told(ts)
	if len(args) > 2 {
		seconds, err := strconv.Atoi(args[1])
		ts.Check(err)
		for end := time.Now().Add(time.Duration(seconds) * time.Second); !strings.Contains(all, args[2]); all = s.told(ts) {
			if time.Now().After(end) {
				ts.Fatalf("%s got no request with %q within %d s:\n%s", args[0], args[2], seconds, all)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	fmt.Fprint(ts.Stdout(), all)
}

// told are the requests so far, a line of JSON each.
func (s *site) told(ts *testscript.TestScript) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all strings.Builder
	for _, r := range s.got {
		line, err := json.Marshal(r)
		ts.Check(err)
		fmt.Fprintf(&all, "%s\n", line)
	}
	return all.String()
}

// web NAME [tls=DAYS]: starts a web server that answers 200 and sets NAME_URL.
// With tls its certificate ends in so many days (below 0: it has ended) and lies
// in NAME.pem.
func web(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: web NAME [tls=DAYS]")
	}
	s := &site{status: http.StatusOK, body: "ok\n"}
	s.server = httptest.NewUnstartedServer(s)
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0) // refused certificates are what some scripts want
	if len(args) > 1 {
		days, err := strconv.Atoi(strings.TrimPrefix(args[1], "tls="))
		ts.Check(err)
		certificate, text, err := selfSigned(time.Now().AddDate(0, 0, days))
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[0]+".pem"), text, 0o644))
		s.server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
		s.server.StartTLS()
	} else {
		s.server.Start()
	}
	ts.Defer(s.server.Close)
	ts.Setenv(args[0]+"_URL", s.server.URL)
	ts.Value(labKey{}).(*servers).sites[args[0]] = s
}

func findSite(ts *testscript.TestScript, name string) *site {
	s, ok := ts.Value(labKey{}).(*servers).sites[name]
	if !ok {
		ts.Fatalf("no web server %q was started", name)
	}
	return s
}

// web-answer NAME STATUS BODY [delay=DURATION] [wants=AUTHORIZATION] [HEADER=VALUE…]:
// what it answers from now on, and 401 to everybody else when it wants a login.
func webAnswer(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: web-answer NAME STATUS BODY [delay=DURATION] [wants=AUTHORIZATION] [HEADER=VALUE…]")
	}
	s := findSite(ts, args[0])
	status, err := strconv.Atoi(args[1])
	ts.Check(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.body, s.header, s.delay, s.wants = status, args[2], map[string]string{}, 0, ""
	for _, pair := range args[3:] {
		name, value, _ := strings.Cut(pair, "=")
		switch name {
		case "delay":
			s.delay, err = time.ParseDuration(value)
			ts.Check(err)
		case "wants":
			s.wants = value
		default:
			s.header[name] = value
		}
	}
}

// web-asked NAME: prints how many requests it got.
func webAsked(ts *testscript.TestScript, _ bool, args []string) {
	s := findSite(ts, args[0])
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(ts.Stdout(), s.asked)
}

// web-stop NAME: nothing listens there any more.
func webStop(ts *testscript.TestScript, _ bool, args []string) { findSite(ts, args[0]).server.Close() }

// selfSigned makes a certificate for this machine that is its own authority.
func selfSigned(until time.Time) (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "upkeep acceptance"},
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	var text bytes.Buffer
	err = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, text.Bytes(), err
}
