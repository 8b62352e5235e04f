package notify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"upkeep/internal/config"
)

// Mail is one letter to one receiver: a server that refuses one of several keeps nothing from
// the others.
type Mail struct {
	ID      string    `json:"id"` // the same for every try, so that a letter that came twice is seen to be one
	To      string    `json:"to"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
	HTML    string    `json:"html,omitempty"`
	Images  []Image   `json:"images,omitempty"`
	Made    time.Time `json:"made"`
}

// Image is a picture that the HTML names as cid:ID.
type Image struct {
	ID  string `json:"id"`
	PNG []byte `json:"png"`
}

// Post sends mail by one server. Password is empty where none is declared.
type Post struct {
	Email    config.Email
	Password string
	Version  string // of upkeep, for the User-Agent line
}

// answers is how long one answer of the mail server may take. Servers that look a sender up
// before they greet take some ten seconds.
const answers = 30 * time.Second

// Send is a Sender of letters.
func (p Post) Send(ctx context.Context, body json.RawMessage) (string, error) {
	var m Mail
	if err := json.Unmarshal(body, &m); err != nil {
		return "", fmt.Errorf("read a letter that waits: %w", err)
	}
	letter, err := p.letter(m)
	if err != nil {
		return "", err
	}
	client, err := p.client()
	if err != nil {
		return "", err
	}
	err = client.DialAndSendWithContext(ctx, letter)
	if letter.IsDelivered() {
		return oneLine(letter.ServerResponse()), nil // what failed afterwards was only the goodbye
	}
	return "", answered(err)
}

// answered is what the server said, without what the library adds to it: who and which letter
// it was is known.
func answered(err error) error {
	if err == nil {
		return errors.New("nothing is known of the answer")
	}
	text, _, _ := strings.Cut(err.Error(), ", affected ")
	return errors.New(strings.TrimPrefix(strings.TrimPrefix(text, "send failed: "), "dial failed: "))
}

func (p Post) letter(m Mail) (*mail.Msg, error) {
	msg := mail.NewMsg()
	if err := msg.From(p.from()); err != nil {
		return nil, fmt.Errorf("the sender's address: %w", err)
	}
	if err := msg.To(m.To); err != nil {
		return nil, fmt.Errorf("the receiver's address: %w", err)
	}
	msg.Subject(oneLine(m.Subject))
	msg.SetDateWithValue(m.Made)
	msg.SetMessageIDWithValue(m.ID + "@" + hostname())
	msg.SetUserAgent("upkeep " + p.Version)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // no out-of-office answers, please
	msg.SetBodyString(mail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	}
	for _, image := range m.Images {
		err := msg.EmbedReader(image.ID+".png", bytes.NewReader(image.PNG), mail.WithFileContentID(image.ID), mail.WithFileContentType("image/png"))
		if err != nil {
			return nil, fmt.Errorf("embed a chart: %w", err)
		}
	}
	return msg, nil
}

// from is the declared sender, else one that says which machine writes.
func (p Post) from() string { return cmp.Or(p.Email.From, "upkeep@"+hostname()) }

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return name
}

func (p Post) client() (*mail.Client, error) {
	server, err := url.Parse(p.Email.SMTP)
	if err != nil {
		return nil, fmt.Errorf("the mail server's address: %w", err)
	}
	options := append([]mail.Option{mail.WithTimeout(answers)}, p.secured(server.Scheme)...)
	if server.Port() != "" {
		port, err := strconv.Atoi(server.Port())
		if err != nil {
			return nil, fmt.Errorf("the mail server's port: %w", err)
		}
		options = append(options, mail.WithPort(port))
	}
	client, err := mail.NewClient(server.Hostname(), append(options, p.login()...)...)
	if err != nil {
		return nil, fmt.Errorf("prepare for the mail server: %w", err)
	}
	return client, nil
}

// secured is how the connection is kept from readers. Certificates are checked in every case.
func (p Post) secured(scheme string) []mail.Option {
	options := []mail.Option{mail.WithTLSConfig(&tls.Config{ServerName: p.host(), MinVersion: tls.VersionTLS12})}
	switch {
	case scheme == "smtps":
		return append(options, mail.WithSSLPort(false))
	case p.Email.TLS == "required":
		return append(options, mail.WithTLSPolicy(mail.TLSMandatory), mail.WithPort(25))
	case p.Email.TLS == "none":
		return append(options, mail.WithTLSPolicy(mail.NoTLS), mail.WithPort(25))
	}
	return append(options, mail.WithTLSPolicy(mail.TLSOpportunistic), mail.WithPort(25))
}

func (p Post) host() string {
	server, err := url.Parse(p.Email.SMTP)
	if err != nil {
		return ""
	}
	return server.Hostname()
}

// login never shows a password to whoever listens: without TLS only ways that do not send it,
// unless the declaration says that there is none to be.
func (p Post) login() []mail.Option {
	if p.Email.User == "" {
		return nil
	}
	options := []mail.Option{mail.WithUsername(p.Email.User), mail.WithPassword(p.Password)}
	if p.Email.TLS != "none" {
		return append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover))
	}
	return append(options, mail.WithOpportunisticSMTPAuth(mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthSCRAMSHA1,
		mail.SMTPAuthCramMD5, mail.SMTPAuthPlainNoEnc, mail.SMTPAuthLoginNoEnc))
}
