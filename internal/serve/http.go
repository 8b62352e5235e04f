package serve

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// handler answers what parts serve, then what the page does.
func (p *Process) handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range p.routes {
		mux.Handle(r.Path, r.Handler)
	}
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	if p.opt.Page != nil {
		mux.Handle("/", p.opt.Page(p))
	}
	return mux
}

// guarded refuses what a browser sends on behalf of a page from elsewhere: a name that
// somebody else's DNS has pointed at this machine, and requests that another origin makes.
func guarded(listen string, next http.Handler) http.Handler {
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		port = ""
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch origin := r.Header.Get("Origin"); {
		case !local(r.Host, port):
			http.Error(w, "421: this address is not that of upkeep: open http://"+listen, http.StatusMisdirectedRequest)
		case origin != "" && !sameOrigin(origin, r.Host), crossSite(r):
			http.Error(w, "403: another page may not ask upkeep", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// local reports whether a Host header names this machine and the port listened on.
func local(host, port string) bool {
	name, given, err := net.SplitHostPort(host)
	if err != nil {
		name, given = strings.Trim(host, "[]"), "80"
	}
	address, err := netip.ParseAddr(name)
	return given == port && (name == "localhost" || err == nil && address.IsLoopback())
}

func sameOrigin(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Scheme == "http" && u.Host == host
}

// crossSite is what browsers tell of the page that a request comes from
// (https://www.w3.org/TR/fetch-metadata/). A link that somebody follows is welcome.
func crossSite(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	opens := r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate"
	return site != "" && !slices.Contains([]string{"same-origin", "none"}, site) && !opens
}
