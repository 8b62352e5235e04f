package endpoint

import (
	"crypto/tls"
	"net"
	"net/http/httptrace"
	"sync"
	"time"
)

// phases are the parts of a request that blackbox_exporter knows, redirects added
// up.
type phases struct {
	resolve, connect, tls, processing, transfer time.Duration
	address                                     string // that answered last
}

// trace measures phases. Its hooks are called from several goroutines, some of
// them after the request has ended.
type trace struct {
	now  func() time.Time
	lock sync.Mutex
	mark time.Time // where the present phase began
	took phases
	tls  *tls.ConnectionState // of the first handshake, that with the declared host
}

func newTrace(now func() time.Time) *trace { return &trace{now: now, mark: now()} }

// end adds the time since the mark to one phase and begins the next.
func (t *trace) end(phase func(*phases) *time.Duration) {
	t.lock.Lock()
	defer t.lock.Unlock()
	now := t.now()
	if phase != nil {
		*phase(&t.took) += now.Sub(t.mark)
	}
	t.mark = now
}

func (t *trace) hooks() *httptrace.ClientTrace {
	begin := func() { t.end(nil) }
	return &httptrace.ClientTrace{
		DNSStart:          func(httptrace.DNSStartInfo) { begin() },
		DNSDone:           func(httptrace.DNSDoneInfo) { t.end(func(p *phases) *time.Duration { return &p.resolve }) },
		ConnectStart:      func(string, string) { begin() },
		ConnectDone:       t.connected,
		TLSHandshakeStart: begin,
		TLSHandshakeDone:  t.secured,
		WroteRequest:      func(httptrace.WroteRequestInfo) { begin() },
		GotFirstResponseByte: func() {
			t.end(func(p *phases) *time.Duration { return &p.processing })
		},
	}
}

func (t *trace) connected(_, address string, err error) {
	t.end(func(p *phases) *time.Duration { return &p.connect })
	if err != nil {
		return
	}
	t.lock.Lock()
	defer t.lock.Unlock()
	t.took.address, _, _ = net.SplitHostPort(address)
}

func (t *trace) secured(state tls.ConnectionState, err error) {
	t.end(func(p *phases) *time.Duration { return &p.tls })
	t.lock.Lock()
	defer t.lock.Unlock()
	if err == nil && t.tls == nil {
		t.tls = &state
	}
}

// fill ends the transfer and hands over what was seen.
func (t *trace) fill(a *answer) {
	t.lock.Lock()
	defer t.lock.Unlock()
	took := t.took
	if took.processing > 0 {
		took.transfer = t.now().Sub(t.mark)
	}
	a.phases, a.tls = took, t.tls
}
