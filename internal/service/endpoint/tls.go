package endpoint

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"upkeep/internal/service"
)

// tlsConfig verifies as a browser does, by Env's clock.
func (in *Instance) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{ServerName: in.cfg.TLS.ServerName, Time: in.env.Now}
	if in.cfg.TLS.CA == "" {
		return config, nil
	}
	path := in.cfg.TLS.CA
	if !filepath.IsAbs(path) {
		path = filepath.Join(in.env.Base, path)
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the authorities to trust: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read the authorities to trust: %s holds no certificate", path)
	}
	return config, nil
}

// expiry is when the connection stops being trusted: the chain that lasts longest
// counts, and in it what ends first. Servers often send an old cross-signed
// certificate along that nobody needs.
func expiry(state *tls.ConnectionState) (last time.Time) {
	for _, chain := range state.VerifiedChains {
		if end := earliest(chain); end.After(last) {
			last = end
		}
	}
	return last
}

func earliest(chain []*x509.Certificate) (end time.Time) {
	for _, c := range chain {
		if end.IsZero() || c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	return end
}

// tlsTrouble returns the finding for what TLS refused, or "".
func tlsTrouble(err error) string {
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	var other *tls.CertificateVerificationError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "tls-expired"
	case errors.As(err, &host):
		return "tls-wrong-host"
	case errors.As(err, &authority):
		return "tls-untrusted"
	case errors.As(err, &other), errors.Is(err, http.ErrSchemeMismatch),
		strings.Contains(err.Error(), "tls: "): // most of what the handshake finds has no type of its own
		return "tls-invalid"
	}
	return ""
}

// judgeTLS turns what TLS refused into a finding. The request, and any secret in
// it, was not sent.
func (in *Instance) judgeTLS(err error, v *service.Verdict) bool {
	slug := tlsTrouble(err)
	if slug == "" {
		return false
	}
	args := service.Args{"host": in.url.Host, "why": errors.Unwrap(err).Error()} // without what probe put before it
	var verification *tls.CertificateVerificationError
	if errors.As(err, &verification) && len(verification.UnverifiedCertificates) > 0 {
		c := verification.UnverifiedCertificates[0]
		args["from"], args["until"] = c.NotBefore.Format(time.RFC3339), c.NotAfter.Format(time.RFC3339)
		args["names"], args["issuer"] = names(c), c.Issuer.String()
		if slug == "tls-expired" && in.env.Now().Before(c.NotBefore) {
			slug = "tls-not-yet"
		}
	}
	v.Crit(slug, "", args)
	return true
}

// names are those a certificate is made out to, at most ten.
func names(c *x509.Certificate) string {
	all := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return c.Subject.CommonName
	}
	const most = 10
	if len(all) > most {
		all = append(all[:most], "…")
	}
	return strings.Join(all, ", ")
}

// judgeExpiry warns ahead.
func (in *Instance) judgeExpiry(state *tls.ConnectionState, v *service.Verdict) {
	if state == nil {
		return
	}
	end := expiry(state)
	v.Set("tls_expires", end.UTC().Format(time.RFC3339))
	left := end.Sub(in.env.Now())
	args := service.Args{"host": in.url.Host, "left": left.Seconds(), "until": end.Format(time.RFC3339)}
	limits := in.cfg.TLS
	switch {
	case limits.ExpiryCritical > 0 && left <= limits.ExpiryCritical.Std():
		v.Crit("tls-expiring", "", args)
	case limits.ExpiryWarning > 0 && left <= limits.ExpiryWarning.Std():
		v.Warn("tls-expiring", "", args)
	}
}
