package quantity_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"upkeep/internal/quantity"
)

type amounts struct {
	D quantity.Duration `yaml:"d"`
	B quantity.Bytes    `yaml:"b"`
	R quantity.Rate     `yaml:"r"`
	S quantity.Share    `yaml:"s"`
}

func TestReadsAmountsWithUnits(t *testing.T) {
	cases := []struct {
		yaml string
		want amounts
	}{
		{"d: 90s", amounts{D: quantity.Duration(90 * time.Second)}},
		{"d: 5m", amounts{D: quantity.Duration(5 * time.Minute)}},
		{"d: 1h30m", amounts{D: quantity.Duration(90 * time.Minute)}},
		{"d: 30d", amounts{D: quantity.Duration(720 * time.Hour)}},
		{"d: 4w", amounts{D: quantity.Duration(672 * time.Hour)}},
		{"d: 0", amounts{}},
		{"b: 4096", amounts{B: 4096}},
		{"b: 500 MB", amounts{B: 500_000_000}},
		{"b: 10 MiB", amounts{B: 10 << 20}},
		{"b: 1.5GiB", amounts{B: 3 << 29}},
		{"r: 10 MiB/s", amounts{R: 10 << 20}},
		{"r: 100", amounts{R: 100}},
		{"s: 80%", amounts{S: 0.8}},
		{"s: 0.8", amounts{S: 0.8}},
		{"s: 1", amounts{S: 1}},
		{"s: 12.5 %", amounts{S: 0.125}},
	}
	for _, c := range cases {
		var got amounts
		if err := yaml.Unmarshal([]byte(c.yaml), &got); err != nil || got != c.want {
			t.Errorf("%s: got %+v, %v; want %+v", c.yaml, got, err, c.want)
		}
	}
}

func TestRefusesAmountsThatSayTooLittle(t *testing.T) {
	for _, text := range []string{
		"d: 90", "d: -5m", "d: soon", "d: [1]", "d: 99999999999w", "d: ''",
		"b: -1", "b: lots", "b: {a: 1}", "b: 99 EB", "b: true",
		"r: 10 MiB/h", "s: 80", "s: 101%", "s: -0.1", "s: .nan", "s: x%",
	} {
		var got amounts
		if err := yaml.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: read as %+v, want an error", text, got)
		}
	}
}

func TestTextFormIsReadBackUnchanged(t *testing.T) {
	for _, d := range []quantity.Duration{0, 1e9, quantity.Duration(90 * time.Minute), quantity.Duration(720 * time.Hour)} {
		if got, err := quantity.ParseDuration(d.String()); err != nil || got != d {
			t.Errorf("%s became %s, %v", d, got, err)
		}
	}
	for _, b := range []quantity.Bytes{0, 1, 4097, 500_000_000, 10 << 20, 1 << 40, 1<<62 + 1} {
		if got, err := quantity.ParseBytes(b.String()); err != nil || got != b {
			t.Errorf("%s became %s, %v", b, got, err)
		}
	}
	for _, s := range []quantity.Share{0, 0.57, 0.125, 1} {
		if got, err := quantity.ParseShare(s.String()); err != nil || fmt.Sprint(got) != fmt.Sprint(s) {
			t.Errorf("%s became %s, %v", s, got, err)
		}
	}
}
