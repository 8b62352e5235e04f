package servicetest

import (
	"errors"
	"strings"
	"testing"

	"upkeep/internal/catalogue"
	"upkeep/internal/service"
)

func words(kind service.Kind) (*catalogue.Catalogue, error) {
	return catalogue.New(
		catalogue.Source{Prefix: kind.Name(), Text: kind.Text()},
		catalogue.Source{Prefix: "error", Text: service.ErrorText()})
}

// checkWords holds the kind's texts and its example to their form.
func checkWords(t *testing.T, kind service.Kind) {
	c, err := words(kind)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); err != nil {
		t.Error(err)
	}
	if !strings.HasPrefix(string(kind.Example()), "#") {
		t.Error("the example does not begin with a line of purpose")
	}
}

// spoken fails for findings without words and for words that miss an argument.
func (s *suite) spoken(t *testing.T, findings []service.Finding) {
	t.Helper()
	c, err := words(s.kind)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		for _, lang := range catalogue.Languages() {
			args := map[string]any{"target": s.Env.Target, "subject": f.Subject}
			for name, value := range f.Args {
				args[name] = value
			}
			id := f.ID
			if !strings.Contains(id, ".") { // as the engine completes it
				id = s.kind.Name() + "." + id
			}
			title, fix := c.Words(lang).Finding(id, args)
			if title == "!"+id || fix == "" {
				t.Errorf("finding %s has no words in %s", f.ID, lang)
			}
			if strings.Contains(title+fix, "{{") {
				t.Errorf("finding %s in %s: an argument is missing or of a wrong type: %s — %s", f.ID, lang, title, fix)
			}
		}
	}
}

// explained fails for a Fault without words.
func (s *suite) explained(t *testing.T, err error) {
	t.Helper()
	var fault *service.Fault
	if !errors.As(err, &fault) {
		return
	}
	c, broken := words(s.kind)
	if broken != nil {
		t.Fatal(broken)
	}
	for _, lang := range catalogue.Languages() {
		if title, consequence, fix := c.Words(lang).Error(fault.ID, fault.Args); consequence == "" || fix == "" {
			t.Errorf("error %s has no words in %s: %s", fault.ID, lang, title)
		}
	}
}
