package endpoint

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// authority issues certificates for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{file: filepath.Join(t.TempDir(), "ca.pem")}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "upkeep test authority"},
		NotBefore: time.Now().AddDate(-10, 0, 0), NotAfter: time.Now().AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert, a.key = sign(t, template, nil, nil)
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
	if err := os.WriteFile(a.file, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

func sign(t *testing.T, template, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if parent == nil {
		parent, by = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// serve starts a server with a certificate for 127.0.0.1, or for name.
func (a authority) serve(t *testing.T, name string, from, until time.Time, handler http.Handler) string {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: from, NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if name == "" {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	} else {
		template.DNSNames = []string{name}
	}
	cert, key := sign(t, template, a.cert, a.key)
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

func TestCertificates(t *testing.T) {
	a := newAuthority(t)
	now, day := time.Now(), 24*time.Hour
	cases := []struct {
		name        string
		host        string
		from, until time.Time
		keys        string
		want        string
		severity    service.Severity
	}{
		{"good for long", "", now.Add(-day), now.Add(60 * day), "tls: {ca: " + a.file + "}", "", ""},
		{"ends within the warning", "", now.Add(-day), now.Add(20 * day), "tls: {ca: " + a.file + "}", "tls-expiring", service.Warning},
		{"ends within days", "", now.Add(-day), now.Add(6 * day), "tls: {ca: " + a.file + "}", "tls-expiring", service.Critical},
		{"limits of its own", "", now.Add(-day), now.Add(6 * day), "tls: {ca: " + a.file + ", expiry_warning: 2d, expiry_critical: 1d}", "", ""},
		{"has ended", "", now.Add(-9 * day), now.Add(-day), "tls: {ca: " + a.file + "}", "tls-expired", service.Critical},
		{"has not begun", "", now.Add(day), now.Add(9 * day), "tls: {ca: " + a.file + "}", "tls-not-yet", service.Critical},
		{"of another host", "other.example.org", now.Add(-day), now.Add(60 * day), "tls: {ca: " + a.file + "}", "tls-wrong-host", service.Critical},
		{"of another host on purpose", "other.example.org", now.Add(-day), now.Add(60 * day),
			"tls: {ca: " + a.file + ", server_name: other.example.org}", "", ""},
		{"of an unknown authority", "", now.Add(-day), now.Add(60 * day), "", "tls-untrusted", service.Critical},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			asked := false
			url := a.serve(t, c.host, c.from, c.until, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
			got, facts := check(t, point(t, servicetest.Env(t), url, c.keys))
			if got[c.want].Severity != c.severity || c.want == "" && len(got) > 0 {
				t.Errorf("found %s, want %s", slugs(got), c.want)
			}
			refused := c.want != "" && c.want != "tls-expiring"
			if asked == refused {
				t.Errorf("the request was sent: %v", asked)
			}
			if !refused && facts["tls_expires"] != c.until.UTC().Format(time.RFC3339) {
				t.Errorf("facts are %v", facts)
			}
		})
	}
}

func TestNoTLSBehindAnHTTPSAddress(t *testing.T) {
	plain := answering(t, 200, "")
	got, _ := check(t, point(t, servicetest.Env(t), "https"+plain[len("http"):], ""))
	if got["tls-invalid"].Severity != service.Critical {
		t.Errorf("found %s", slugs(got))
	}
}

func TestHandshakeThatTheServerRefuses(t *testing.T) {
	a := newAuthority(t)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return nil, errors.New("nobody is let in")
	}}
	server.StartTLS()
	defer server.Close()
	got, _ := check(t, point(t, servicetest.Env(t), server.URL, "tls: {ca: "+a.file+"}"))
	if got["tls-invalid"].Severity != service.Critical {
		t.Errorf("found %s", slugs(got))
	}
}

func TestHandshakeThatNeverComesIsNoAnswer(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	_, err = point(t, servicetest.Env(t), "https://"+silent.Addr().String(), "timeout: 300ms").Check(t.Context())
	if !errors.Is(err, service.ErrUnreachable) {
		t.Errorf("error is %v", err)
	}
}

func TestAuthoritiesThatCannotBeReadAreAnError(t *testing.T) {
	env := servicetest.Env(t)
	if err := os.WriteFile(filepath.Join(env.Base, "empty.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"missing.pem", "empty.pem"} { // relative to the declaration
		_, err := point(t, env, "https://127.0.0.1:1", "tls: {ca: "+file+"}").Check(t.Context())
		if err == nil || errors.Is(err, service.ErrUnreachable) {
			t.Errorf("%s: error is %v", file, err)
		}
	}
}

func TestUnneededOldCertificateDoesNotShortenTheChain(t *testing.T) {
	now := time.Now()
	certificate := func(days int) *x509.Certificate { return &x509.Certificate{NotAfter: now.AddDate(0, 0, days)} }
	leaf, oldRoot, newRoot := certificate(60), certificate(-1), certificate(900)
	state := &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{leaf, oldRoot}, {leaf, newRoot}}}
	if got := expiry(state); !got.Equal(leaf.NotAfter) {
		t.Errorf("ends %s", got)
	}
}
