package dataset

import (
	"maps"
	"slices"
	"strings"

	"upkeep/internal/diag"
)

// wider is the declaration for who reads the columns that no check judges, too.
func (c Config) wider() Config {
	c.Tables = maps.Clone(c.Tables)
	for name, t := range c.Tables {
		c.Tables[name] = t.wider()
	}
	return c
}

func (t Table) wider() Table {
	all := maps.Clone(t.Beside)
	if all == nil {
		return t
	}
	maps.Copy(all, t.Columns)
	t.Columns = all
	return t
}

// converting reports what convert could not do with an agreement.
func (c *Config) converting(path string, a Agreement, p *diag.List) {
	source := c.Tables[a.Source].wider()
	for _, column := range slices.Sorted(maps.Keys(a.Back)) {
		if !slices.Contains(source.known(), column) {
			p.Addf(path+".back."+column, "%q is no column of %s", column, a.Source)
		}
	}
	for _, column := range a.By {
		if len(a.Back) > 0 && source.Document != "" && !slices.Contains(source.identity(), column) {
			p.Addf(path+".back", "%q is no key on the way to a row of %s", column, a.Source)
		}
	}
	for _, at := range slices.Sorted(maps.Keys(a.New)) {
		if !strings.HasPrefix(source.Rows, at+"/") {
			p.Addf(path+".new."+at, "must be the beginning of the rows of %s", a.Source)
		}
	}
}
