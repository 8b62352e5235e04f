package lab

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

//go:embed smtp/server.py
var smtpServer []byte

// smtpUser is who may send through a server that wants a login.
const smtpUser = "alerts"

// SMTP starts a mail server for the length of one test. Settings: "tls" has it offer and
// want STARTTLS, with a certificate of its own authority that ends in so many days (below
// 0: it has ended); "login" has it want one; "mode" is how it begins, see Mode.
func SMTP(t TB, o Options) *Server {
	t.Helper()
	Need(t, "smtp")
	return start(t, o, StartSMTP)
}

// smtpPython is the interpreter of what lab/install puts into a virtual environment.
func smtpPython() (string, error) {
	places := []string{"/var/cache/upkeep-lab"}
	if cache, err := os.UserCacheDir(); err == nil {
		places = append(places, filepath.Join(cache, "upkeep-lab"))
	}
	for _, place := range places {
		program := filepath.Join(place, "smtp", "bin", "python")
		if _, err := os.Stat(program); err == nil {
			return program, nil
		}
	}
	return "", errors.New("aiosmtpd is not installed; lab/install installs it")
}

// StartSMTP starts a mail server under dir. Its mails lie in Data, its certificate in
// Dir/certificate.pem.
func StartSMTP(ctx context.Context, dir string, o Options) (*Server, error) {
	python, err := smtpPython()
	if err != nil {
		return nil, err
	}
	as, err := serverAccount("nobody")
	if err != nil {
		return nil, err
	}
	place := filepath.Join(dir, "smtp")
	s := &Server{Component: "smtp", Host: "127.0.0.1", Dir: place, Data: filepath.Join(place, "mails"), ready: smtpAnswers,
		stop: syscall.SIGTERM, account: as, detached: o.Detached, killed: true}
	if o.Settings["login"] != "" {
		s.User, s.Password = smtpUser, rand.Text()
		if o.Password != "" {
			s.Password = o.Password
		}
	}
	s.argv = func(port int) []string {
		return []string{python, filepath.Join(place, "server.py"), strconv.Itoa(port), place}
	}
	s.fresh = func(context.Context) error { return s.initSMTP(o.Settings) }
	if err := s.fresh(ctx); err != nil {
		return nil, err
	}
	return s, s.startOnFreePort(ctx)
}

func (s *Server) initSMTP(settings map[string]string) error {
	if err := errors.Join(os.MkdirAll(s.Data, 0o755), os.Chmod(s.Dir, 0o755), s.account.own(s.Data)); err != nil {
		return fmt.Errorf("make the directory of the mail server: %w", err)
	}
	conf := map[string]string{"user": s.User, "password": s.Password, "certificate": "", "key": ""}
	files := map[string][]byte{"server.py": smtpServer, "mode": []byte("accept")}
	if mode := settings["mode"]; mode != "" {
		files["mode"] = []byte(mode)
	}
	if days := settings["tls"]; days != "" {
		n, err := strconv.Atoi(days)
		if err != nil {
			return fmt.Errorf("days of the certificate: %w", err)
		}
		certificate, key, err := Certificate(time.Now().AddDate(0, 0, n))
		if err != nil {
			return err
		}
		files["certificate.pem"], files["key.pem"] = certificate, key
		conf["certificate"], conf["key"] = filepath.Join(s.Dir, "certificate.pem"), filepath.Join(s.Dir, "key.pem")
	}
	text, err := json.Marshal(conf)
	if err != nil {
		return err
	}
	files["settings.json"] = text
	for name, content := range files {
		path := filepath.Join(s.Dir, name)
		if err := errors.Join(os.WriteFile(path, content, 0o600), s.account.own(path)); err != nil {
			return fmt.Errorf("configure the mail server: %w", err)
		}
	}
	return nil
}

// Mode says how a mail server behaves from its next connection on: accept, later (it
// refuses for now), never (for good), mute (it takes a connection and says nothing),
// deaf (it answers nothing to a whole mail) or closed.
func (s *Server) Mode(mode string) error {
	path := filepath.Join(s.Dir, "mode")
	return errors.Join(os.WriteFile(path+".new", []byte(mode), 0o644), os.Rename(path+".new", path))
}

// Mails are the files of the mails that a server has taken, in their order.
func (s *Server) Mails() ([]string, error) {
	files, err := filepath.Glob(filepath.Join(s.Data, "*.eml"))
	slices.SortFunc(files, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return slices.Compare([]byte(a), []byte(b))
	})
	return files, err
}

// smtpAnswers asks for the greeting. One that is told to be silent is ready when its
// port is open.
func smtpAnswers(ctx context.Context, s *Server) error {
	if mode, err := os.ReadFile(filepath.Join(s.Dir, "mode")); err == nil && string(mode) != "accept" {
		if !taken(ctx, s.Addr()) {
			return errors.New("the mail server does not listen")
		}
		return nil
	}
	conn, err := textproto.Dial("tcp", s.Addr())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // nothing was sent
	_, _, err = conn.ReadResponse(220)
	return err
}
