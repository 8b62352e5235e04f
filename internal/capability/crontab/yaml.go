package crontab

import (
	"fmt"
	"strconv"
	"strings"

	"upkeep/internal/catalogue"
)

// YAML is what the lines become, to be put into upkeep.yaml.
func (c Crontab) YAML(words catalogue.Words) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", words.Message("crontab.head", nil))
	if c.Zone != "" {
		fmt.Fprintf(&b, "timezone: %s\n", c.Zone)
	}
	if c.LogAge > 0 {
		fmt.Fprintf(&b, "logs: {keep: {age: %dd}}\n", c.LogAge)
	}
	if len(c.Mail) > 0 {
		fmt.Fprintf(&b, "# notify: {email: {to: [%s], smtp: \"smtp://HOST:25\"}} # %s\n", strings.Join(quoted(c.Mail), ", "),
			words.Message("crontab.smtp", nil))
	}
	if len(c.Jobs) > 0 {
		b.WriteString("jobs:\n")
	}
	for _, j := range c.Jobs {
		fmt.Fprintf(&b, "  # %s\n", strings.TrimSpace(words.Message("crontab.of-line", map[string]any{"line": j.Line})+" "+j.Comment))
		fmt.Fprintf(&b, "  %s: {at: %s, do: [%s], missed: once}\n", j.Name, strconv.Quote(j.At), strings.Join(quoted(j.Do), ", "))
	}
	return b.String()
}

// quoted puts what is more than one word into quotes.
func quoted(list []string) (all []string) {
	for _, text := range list {
		if strings.ContainsAny(text, " @,:#") {
			text = strconv.Quote(text)
		}
		all = append(all, text)
	}
	return all
}

// Said returns the notes with their words.
func (c Crontab) Said(words catalogue.Words) []Note {
	all := make([]Note, len(c.Notes))
	for i, n := range c.Notes {
		if n.Text = words.Message(n.ID, n.Args); n.problem.Format != "" {
			n.Text += " " + words.Sprintf(n.problem.Format, n.problem.Args...)
		}
		all[i] = n
	}
	return all
}
