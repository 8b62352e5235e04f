package redis

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/service"
)

func TestEncryptedConnections(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "uk")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	cert, key := certificate(t, dir)
	port := freePort(t)
	s := start(t, "pw", fmt.Sprintf("tls-port %d", port), "tls-cert-file "+cert, "tls-key-file "+key, "tls-ca-cert-file "+cert, "tls-auth-clients no")
	seed(t, s)
	in := declare(t, s, func(c *Config, e *service.Env) {
		c.URL, c.CA, e.Base = fmt.Sprintf("rediss://127.0.0.1:%d/0", port), "cert.pem", dir
	})
	if got, _ := checked(t, in); len(got) != 0 {
		t.Errorf("found %v", got)
	}
	if c := backup(t, in); len(verified(t, in, c).Findings) != 0 {
		t.Error("the copy differs")
	}
	samples := 0
	must(t, in.Collect(t.Context(), func(*dto.MetricFamily) { samples++ }))
	if samples < 50 {
		t.Errorf("%d families of samples", samples)
	}
	stranger := declare(t, s, func(c *Config, _ *service.Env) { c.URL = fmt.Sprintf("rediss://127.0.0.1:%d", port) })
	if _, err := stranger.Check(t.Context()); !errors.Is(err, service.ErrUnreachable) {
		t.Errorf("a certificate of nobody we know: %v", err)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// certificate makes one for 127.0.0.1 that vouches for itself.
func certificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &private.PublicKey, private)
	must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o644))
	return cert, key
}
