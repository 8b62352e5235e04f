package neo4j

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	driver "github.com/neo4j/neo4j-go-driver/v5/neo4j"
	"github.com/neo4j/neo4j-go-driver/v5/neo4j/config"

	"upkeep/internal/service"
)

const (
	// connectPatience is how long a server may take to accept a connection.
	connectPatience = 10 * time.Second
	// fetchSize is how many records the server sends ahead: what the memory of a
	// stream is bounded by.
	fetchSize = 500
)

// system is the database that is there while the others are down.
const system = "system"

// link is one login, for the length of one call.
type link struct {
	driver driver.DriverWithContext
	name   string // of the database
	host   string
}

// with logs in, calls do and logs out.
func (in *Instance) with(ctx context.Context, do func(*link) error) (err error) {
	l, err := in.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close(ctx)) }()
	return do(l)
}

func (in *Instance) connect(ctx context.Context) (*link, error) {
	address, err := in.cfg.address()
	if err != nil {
		return nil, err
	}
	password := ""
	if !in.cfg.Password.IsZero() {
		if password, err = in.env.Secret(ctx, in.cfg.Password); err != nil {
			return nil, fmt.Errorf("resolve the password: %w", err)
		}
	}
	trust, err := in.trust()
	if err != nil {
		return nil, err
	}
	token := driver.BasicAuth(in.cfg.User, password, "")
	if password == "" {
		token = driver.NoAuth()
	}
	d, err := driver.NewDriverWithContext(address.String(), token, func(c *config.Config) {
		c.SocketConnectTimeout = connectPatience
		c.ConnectionAcquisitionTimeout = 2 * connectPatience
		c.MaxTransactionRetryTime = connectPatience
		c.FetchSize = fetchSize
		c.TlsConfig = trust
		c.TelemetryDisabled = true
		c.UserAgent = "upkeep"
	})
	if err != nil {
		return nil, fmt.Errorf("prepare a connection to %s: %w", address.Host, err)
	}
	l := &link{driver: d, name: in.cfg.Database, host: address.Host}
	if err := d.VerifyAuthentication(ctx, nil); err != nil {
		return nil, errors.Join(l.fault(ctx, "log in to "+l.host, err), l.close(ctx))
	}
	return l, nil
}

// trust is nil where the system's authorities are meant, or no TLS at all.
func (in *Instance) trust() (*tls.Config, error) {
	if in.cfg.CA == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(in.cfg.CA)
	if err != nil {
		return nil, fmt.Errorf("read the server's authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", in.cfg.CA)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// close says goodbye also when the call's own time is over.
func (l *link) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := l.driver.Close(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("close the connection to %s: %w", l.host, err)
	}
	return nil
}

// fault says what was attempted and wraps the sentinel that fits.
func (l *link) fault(ctx context.Context, attempt string, err error) error {
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("%s: %w: %w: %w", attempt, err, cause, service.ErrUnreachable)
	}
	if sentinel := sentinelOf(err); sentinel != nil {
		err = fmt.Errorf("%s: %w: %w", attempt, err, sentinel)
	} else {
		err = fmt.Errorf("%s: %w", attempt, err)
	}
	if codeOf(err) == "Neo.ClientError.Security.CredentialsExpired" {
		return &service.Fault{ID: "neo4j.password-expired", Args: service.Args{"address": l.host}, Err: err}
	}
	return err
}

func sentinelOf(err error) error {
	var lost *driver.ConnectivityError
	var use *driver.UsageError
	code := codeOf(err)
	switch {
	case errors.As(err, &lost), driver.IsConnectivityError(err), strings.HasSuffix(code, ".DatabaseUnavailable"):
		return service.ErrUnreachable
	case strings.HasPrefix(code, "Neo.ClientError.Security."):
		return service.ErrDenied
	case code == "Neo.ClientError.Database.DatabaseNotFound":
		return service.ErrNotFound
	case code == "Neo.ClientError.Statement.AccessMode", code == "Neo.ClientError.General.WriteOnReadOnlyAccessDatabase":
		return service.ErrRefused
	case errors.As(err, &use):
		return service.ErrUnsupported
	}
	return nil
}

// codeOf is the server's own name of an error; empty for others.
func codeOf(err error) string {
	var said *driver.Neo4jError
	if errors.As(err, &said) {
		return said.Code
	}
	return ""
}

func (l *link) session(ctx context.Context, database string, mode driver.AccessMode) driver.SessionWithContext {
	return l.driver.NewSession(ctx, driver.SessionConfig{DatabaseName: database, AccessMode: mode})
}

// read hands over the records of a statement that cannot write, as they come.
func (l *link) read(ctx context.Context, cypher string, params map[string]any, each func(*driver.Record) error) error {
	return l.readIn(ctx, l.name, cypher, params, each)
}

func (l *link) readIn(ctx context.Context, database, cypher string, params map[string]any, each func(*driver.Record) error) (err error) {
	s := l.session(ctx, database, driver.AccessModeRead)
	defer func() { err = errors.Join(err, l.end(ctx, s)) }()
	result, err := s.Run(ctx, cypher, params)
	if err != nil {
		return l.fault(ctx, "ask "+l.host, err)
	}
	for result.Next(ctx) {
		if err := each(result.Record()); err != nil {
			return err
		}
	}
	if err := result.Err(); err != nil {
		return l.fault(ctx, "ask "+l.host, err)
	}
	return nil
}

// end gives a session back. What the server has to say then, it has said before.
func (l *link) end(ctx context.Context, s driver.SessionWithContext) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = s.Close(ctx) // its error repeats that of the statement
	return nil
}

// number asks for one whole number.
func (l *link) number(ctx context.Context, cypher string, params map[string]any) (n int64, err error) {
	rows := 0
	err = l.read(ctx, cypher, params, func(r *driver.Record) error {
		rows++
		value, ok := r.Values[0].(int64)
		if !ok {
			return fmt.Errorf("%s gives %T instead of a number", cypher, r.Values[0])
		}
		n = value
		return nil
	})
	if err == nil && rows != 1 {
		return 0, fmt.Errorf("%s gives %d rows instead of one", cypher, rows)
	}
	return n, err
}

// change runs one statement that writes, in a transaction of its own, and returns
// the number in its only row, 0 without one. A conflict with others is tried again.
func (l *link) change(ctx context.Context, cypher string, params map[string]any) (n int64, err error) {
	s := l.session(ctx, l.name, driver.AccessModeWrite)
	defer func() { err = errors.Join(err, l.end(ctx, s)) }()
	_, err = s.ExecuteWrite(ctx, func(tx driver.ManagedTransaction) (any, error) {
		result, err := tx.Run(ctx, cypher, params)
		if err != nil {
			return nil, err
		}
		for n = 0; result.Next(ctx); {
			n, _ = result.Record().Values[0].(int64)
		}
		return nil, result.Err()
	})
	if err != nil {
		return 0, l.fault(ctx, "change "+l.name+" at "+l.host, err)
	}
	return n, nil
}

// quote makes a name safe inside a statement. The server replaces \uXXXX before it
// reads the statement, so a backslash is written that way itself.
func quote(name string) string {
	return "`" + strings.ReplaceAll(strings.ReplaceAll(name, `\`, `\u005C`), "`", "``") + "`"
}
