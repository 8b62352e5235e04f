package alerts

import (
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/alertmanager/api"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/common/route"
)

// answerWithin bounds a request to the API.
const answerWithin = 30 * time.Second

func (a *Alertmanager) newAPI() (*api.API, error) {
	took := promauto.With(a.registry).NewHistogramVec(prometheus.HistogramOpts{Name: "alertmanager_http_request_duration_seconds",
		Help: "Histogram of latencies for HTTP requests."}, []string{"handler", "method", "code"})
	made, err := api.New(api.Options{Alerts: a.alerts, Silences: a.silences, GroupMutedFunc: a.muted.Muted, Timeout: answerWithin, Logger: a.opt.Log,
		Registry: a.registry, RequestDuration: took, GroupFunc: a.groups})
	if err != nil {
		return nil, fmt.Errorf("open the API of Alertmanager: %w", err)
	}
	return made, nil
}

// Handler is Alertmanager's HTTP API below prefix ("/alertmanager"): /api/v2, and the two
// addresses by which its peers ask whether it lives.
func (a *Alertmanager) Handler(prefix string) http.Handler {
	router := route.New().WithPrefix(prefix)
	for _, path := range []string{"/-/healthy", "/-/ready"} {
		router.Get(path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "OK") })
	}
	return a.api.Register(router, prefix)
}
