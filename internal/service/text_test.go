package service_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"upkeep/internal/catalogue"
	"upkeep/internal/service"
)

func TestEveryErrorHasWordsInBothLanguages(t *testing.T) {
	words, err := catalogue.New(catalogue.Source{Prefix: "error", Text: service.ErrorText()})
	if err == nil {
		err = words.Check()
	}
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		err  error
		want string
	}{
		{service.ErrUnreachable, "error.unreachable"}, {service.ErrDenied, "error.denied"},
		{service.ErrUnsupported, "error.unsupported"}, {service.ErrBusy, "error.busy"},
		{service.ErrStale, "error.stale"}, {service.ErrNoScratch, "error.no-scratch"},
		{service.ErrNoTool, "error.no-tool"}, {service.ErrNoSpace, "error.no-space"},
		{service.ErrNotFound, "error.not-found"}, {service.ErrChanged, "error.changed"},
		{service.ErrDamaged, "error.damaged"}, {service.ErrRefused, "error.refused"},
		{context.Canceled, "error.interrupted"}, {context.DeadlineExceeded, "error.timeout"},
		{errors.New("what is this"), "error.unexpected"},
		{fmt.Errorf("dial: %w: %w", service.ErrUnreachable, context.DeadlineExceeded), "error.unreachable"},
		{fmt.Errorf("dial: %w: %w", service.ErrUnreachable, context.Canceled), "error.interrupted"},
	}
	for _, c := range cases {
		id, _ := service.ErrorID(fmt.Errorf("check db: %w", c.err))
		if id != c.want {
			t.Errorf("%v has the words of %s, want %s", c.err, id, c.want)
		}
		for _, lang := range catalogue.Languages() {
			if title, _, fix := words.Words(lang).Error(id, nil); title[0] == '!' || fix == "" {
				t.Errorf("%s has no words in %s", id, lang)
			}
		}
	}
}

func TestFaultSpeaksForItself(t *testing.T) {
	fault := &service.Fault{ID: "postgres.pg-dump-too-old", Args: service.Args{"have": 14}, Err: service.ErrNoTool}
	id, args := service.ErrorID(fmt.Errorf("back up db: %w", fault))
	if id != fault.ID || args["have"] != 14 {
		t.Errorf("got %s %v", id, args)
	}
	if !errors.Is(fault, service.ErrNoTool) {
		t.Error("a fault hides its sentinel")
	}
}
