package acceptance

import (
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// describeMail sets NAME_MAILS, where a mail server keeps what it takes, and writes its
// certificate to NAME.pem.
func describeMail(ts *testscript.TestScript, name string, s *running) {
	ts.Setenv(name+"_MAILS", s.Data)
	certificate, err := os.ReadFile(filepath.Join(s.Dir, "certificate.pem"))
	if err == nil {
		err = os.WriteFile(ts.MkAbs(name+".pem"), certificate, 0o644)
	} else if os.IsNotExist(err) {
		err = nil
	}
	ts.Check(err)
}

// mails NAME accept|later|never|mute|deaf|closed: how a mail server behaves from its next
// connection on.
func mails(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: mails NAME MODE")
	}
	ts.Check(lookup(ts, args[0]).Mode(args[1]))
}
