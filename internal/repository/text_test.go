package repository_test

import (
	"testing"

	"upkeep/internal/catalogue"
	"upkeep/internal/repository"
)

func TestEveryWordIsThereInEveryLanguage(t *testing.T) {
	c, err := catalogue.New(catalogue.Source{Prefix: "repository", Text: repository.Text()})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); err != nil {
		t.Error(err)
	}
}
