package report

// Sentence is the last line: what the reader can rely on. It speaks only of
// copies that this page's runs made or judged.
func (t Text) Sentence(p Page) string {
	backup, verify, drill := p.find("backup"), p.find("verify"), p.find("drill")
	switch {
	case drill != nil && drill.Run.Proof != nil:
		return t.Words.Message("report.proven", map[string]any{"rpo": drill.Run.Proof.RPO.Seconds(), "rto": drill.Run.Proof.RTO.Seconds()})
	case drill != nil && !drill.Skipped:
		return t.Words.Message("report.not-proven", nil)
	case backup != nil && backup.Run.Point == "":
		return t.Words.Message("report.no-copy", nil)
	case verify != nil && !verify.Skipped && clean(*verify):
		return t.Words.Message("report.verified-only", nil)
	case verify != nil && !verify.Skipped:
		return t.Words.Message("report.damaged", nil)
	case backup != nil:
		return t.Words.Message("report.copied-only", map[string]any{"point": backup.Run.Point})
	}
	return ""
}

func (p Page) find(verb string) *Section {
	for i := range p.Sections {
		if p.Sections[i].Verb == verb {
			return &p.Sections[i]
		}
	}
	return nil
}
