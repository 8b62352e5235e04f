// Package secret knows references to secrets and reads what they point at. A
// declaration holds references only; a value exists between Resolve and its use
// and is never printed: a Ref shows as its reference, and a secret that somebody
// wrote into the file shows as "literal:…".
package secret

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Scheme is where a secret is kept.
type Scheme string

// The places that a reference can name.
const (
	Env     Scheme = "env"     // env:NAME
	File    Scheme = "file"    // file:PATH, without its trailing newline
	Dotenv  Scheme = "dotenv"  // dotenv:FILE#KEY
	Compose Scheme = "compose" // compose:FILE#SERVICE.VAR
	Command Scheme = "command" // {command: [PROGRAM, ARG, …]}: the first line it prints
	Literal Scheme = "literal" // the secret itself: works, and is a finding
)

// Ref is one reference. The zero value means that no secret was declared.
type Ref struct {
	Scheme Scheme
	Place  string   // NAME, PATH or FILE#KEY; the secret itself when literal
	Argv   []string // of a command
}

// Parse reads the text form. Text without a known scheme is a literal.
func Parse(text string) Ref {
	scheme, place, found := strings.Cut(text, ":")
	known := []Scheme{Env, File, Dotenv, Compose}
	if found && slices.Contains(known, Scheme(scheme)) {
		return Ref{Scheme: Scheme(scheme), Place: place}
	}
	if text == "" {
		return Ref{}
	}
	return Ref{Scheme: Literal, Place: text}
}

// IsZero reports whether no secret was declared.
func (r Ref) IsZero() bool { return r.Scheme == "" }

// String shows the reference and never the secret.
func (r Ref) String() string {
	switch r.Scheme {
	case "":
		return ""
	case Literal:
		return "literal:…"
	case Command:
		return "command:" + strings.Join(r.Argv, " ")
	}
	return fmt.Sprintf("%s:%s", r.Scheme, r.Place)
}

// Format keeps the secret out of every verb, %d and %#v included. fmt does not
// call it for an unexported field of a struct that is printed as a whole: keep a
// Ref in exported fields.
func (r Ref) Format(f fmt.State, verb rune) {
	fmt.Fprintf(f, fmt.FormatString(f, shownAs(verb)), r.String())
}

// shownAs is the verb that shows a reference as text.
func shownAs(verb rune) rune {
	if verb == 'q' {
		return 'q'
	}
	return 's'
}

// MarshalText shows the reference and never the secret.
func (r Ref) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalYAML reads a text reference or {command: [PROGRAM, ARG, …]}.
func (r *Ref) UnmarshalYAML(decode func(any) error) error {
	var text string
	if err := decode(&text); err == nil {
		*r = Parse(text)
		return nil
	}
	var run struct {
		Command []string `yaml:"command"`
	}
	if err := decode(&run); err != nil || len(run.Command) == 0 {
		return errors.New("must be a reference such as file:secrets/db or {command: [PROGRAM, ARG]}")
	}
	*r = Ref{Scheme: Command, Argv: run.Command}
	return nil
}
