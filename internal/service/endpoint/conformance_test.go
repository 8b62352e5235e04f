package endpoint

import (
	"net"
	"net/http"
	"testing"

	"upkeep/internal/service/servicetest"
)

func TestConformance(t *testing.T) {
	servicetest.Run(t, Kind, func(t *testing.T) servicetest.Fixture {
		server := listen(t, "127.0.0.1:0")
		cfg := declare(t, "url: http://"+server.Addr)
		hanging, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { hanging.Close() })
		silent := declare(t, "url: http://"+hanging.Addr().String())
		return servicetest.Fixture{
			Config:  &cfg,
			Hanging: &silent,
			Stop:    func(*testing.T) { server.Close() },
			Start:   func(*testing.T) { server = listen(t, server.Addr) }, // for the whole suite, not its caller
		}
	})
}

// listen serves at an address that stays the same when it is started again.
func listen(t *testing.T, address string) *http.Server {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Addr: listener.Addr().String(), Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return server
}
