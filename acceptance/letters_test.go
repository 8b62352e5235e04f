package acceptance

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// letters NAME COUNT: waits until a mail server has taken so many mails and prints all
// as their readers see them, each with its number, its size in bytes and how it came.
func letters(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 || neg {
		ts.Fatalf("usage: letters NAME COUNT")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	s := lookup(ts, args[0])
	for range 900 {
		files, err := s.Mails()
		ts.Check(err)
		if len(files) >= want {
			for i, file := range files {
				ts.Check(printLetter(ts.Stdout(), i+1, file))
			}
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Fatalf("%s has not taken %d mails", args[0], want)
}

func printLetter(out io.Writer, n int, file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	about, err := os.ReadFile(strings.TrimSuffix(file, ".eml") + ".json")
	if err != nil {
		return err
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "letter %d, %d bytes, %s\nSubject: %s\n\n", n, len(raw), about, subject)
	return printBody(out, m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body)
}

// printBody prints the texts of a mail, those of its parts too.
func printBody(out io.Writer, form, encoding string, body io.Reader) error {
	kind, params, err := mime.ParseMediaType(form)
	if err != nil {
		return err
	}
	if strings.HasPrefix(kind, "multipart/") {
		for parts := multipart.NewReader(body, params["boundary"]); ; {
			part, err := parts.NextRawPart()
			if err == io.EOF {
				return nil
			}
			if err == nil {
				err = printBody(out, part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"), part)
			}
			if err != nil {
				return err
			}
		}
	}
	if !strings.HasPrefix(kind, "text/") {
		return nil // a picture
	}
	if strings.EqualFold(encoding, "quoted-printable") {
		body = quotedprintable.NewReader(body)
	}
	fmt.Fprintf(out, "[%s]\n", kind)
	_, err = io.Copy(out, body)
	return err
}
