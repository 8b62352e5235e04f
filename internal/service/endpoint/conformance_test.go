package endpoint

import (
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"upkeep/internal/service/servicetest"
)

func TestConformance(t *testing.T) {
	servicetest.Run(t, Kind, func(t *testing.T) servicetest.Fixture {
		var away atomic.Bool // connections are taken and closed, as by a proxy without a backend
		cfg := declare(t, "url: "+serving(t, func(http.ResponseWriter, *http.Request) {
			if away.Load() {
				panic(http.ErrAbortHandler)
			}
		}))
		hanging, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { hanging.Close() })
		silent := declare(t, "url: http://"+hanging.Addr().String())
		return servicetest.Fixture{
			Config:  &cfg,
			Hanging: &silent,
			Stop:    func(*testing.T) { away.Store(true) },
			Start:   func(*testing.T) { away.Store(false) },
		}
	})
}
