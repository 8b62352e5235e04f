package alertfile

import (
	"embed"
	"net/url"
	"path/filepath"

	"github.com/prometheus/alertmanager/template"
)

//go:embed templates
var ours embed.FS

// Templates reads Alertmanager's own templates, those of upkeep in a language
// ("upkeep.mail.subject", ".text" and ".html"), and the files named by patterns relative
// to dir.
func Templates(dir string, patterns []string, language string) (*template.Template, error) {
	var paths []string
	for _, p := range patterns {
		if !filepath.IsAbs(p) {
			p = filepath.Join(dir, p)
		}
		paths = append(paths, p)
	}
	t, err := template.FromGlobs(paths)
	if err != nil {
		return nil, err
	}
	if language != "zh" {
		language = "en"
	}
	words, err := ours.Open("templates/" + language + ".tmpl")
	if err != nil {
		return nil, err
	}
	defer func() { _ = words.Close() }() // it lies in the program
	t.ExternalURL = &url.URL{Scheme: "http", Host: "localhost"}
	return t, t.Parse(words)
}
