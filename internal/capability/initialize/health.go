package initialize

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// healthURL returns the address that a service's health check asks, and the port
// inside the container. What stands behind the path may be a secret and is left
// out.
func healthURL(svc types.ServiceConfig) (*url.URL, uint32) {
	if svc.HealthCheck == nil || svc.HealthCheck.Disable {
		return nil, 0
	}
	test := strings.Join(svc.HealthCheck.Test, " ")
	found := regexp.MustCompile(`https?://[^\s"'|;&<>()?#\\]+`).FindString(test)
	if bare := regexp.MustCompile(`\b(?:curl|wget)\b.*?\s((?:localhost|127\.0\.0\.1):\d+[^\s"'|;&<>()?#\\]*)`); found == "" {
		if match := bare.FindStringSubmatch(test); match != nil {
			found = "http://" + match[1]
		}
	}
	at, err := url.Parse(found)
	if err != nil || found == "" || strings.Contains(found, "$") || !itself(svc, at.Hostname()) {
		return nil, 0
	}
	port, err := strconv.ParseUint(firstNonEmpty(at.Port(), map[string]string{"http": "80", "https": "443"}[at.Scheme]), 10, 16)
	if err != nil {
		return nil, 0
	}
	return &url.URL{Scheme: at.Scheme, Path: firstNonEmpty(at.Path, "/"), RawPath: at.RawPath}, uint32(port)
}

// itself reports whether a host name means the container that asks.
func itself(svc types.ServiceConfig, host string) bool {
	return slices.Contains([]string{"localhost", "127.0.0.1", "0.0.0.0", "::1", svc.Name, svc.ContainerName, svc.Hostname}, host)
}

// pagePorts are those on which web servers usually listen in a container.
func pagePorts() []uint32 {
	return []uint32{80, 443, 3000, 3001, 4000, 4200, 5000, 5173, 5555, 8000, 8001, 8080, 8081, 8088, 8443, 8888, 9090, 9093}
}

// firstPage returns the address of the first published port of those.
func firstPage(svc types.ServiceConfig) (*url.URL, uint32) {
	for _, port := range pagePorts() {
		if _, ok := published(svc, port); !ok || !hasPort(svc, port) {
			continue
		}
		if port == 443 || port == 8443 {
			return &url.URL{Scheme: "https", Path: "/"}, port
		}
		return &url.URL{Scheme: "http", Path: "/"}, port
	}
	return nil, 0
}
