package pilotbench

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"upkeep/internal/service"
	"upkeep/internal/service/dataset"
)

// updated is the field of the database that says when it was last saved.
const updated = "last_updated"

// saves are the names that copies of the database have: those of its programs, of people,
// and of the scripts that copied it. Databases of other suites have a suffix of their own
// (master_database_closed_source.json) and are no copies of this one.
func saves() (patterns []string) {
	dir, stem := filepath.Dir(master), strings.TrimSuffix(filepath.Base(master), ".json")
	for _, name := range []string{
		"_backup_*.json", "_before_*.json", "_cleaned.json", " copy*.json", // beside, before the end
		".backup", ".backup_*.json", ".json.backup", ".json.backup_*", ".json.bak", // behind the name
	} {
		patterns = append(patterns, filepath.Join(dir, stem+name))
	}
	for _, within := range []string{dir + "/backups/**", "backups/**", "emergency_backup_*/**"} {
		patterns = append(patterns, within+"/"+stem+".json", within+"/"+stem+"_backup_*.json", within+"/"+stem+"_[0-9]*.json", within+"/"+stem+".json.backup*")
	}
	return patterns
}

// save declares the copies of the database, and what says when it was saved.
func (c Config) save(d *dataset.Config) {
	d.Saves = map[string][]string{}
	for name, table := range d.Tables {
		table.Updated = updated
		d.Tables[name], d.Saves[name] = table, c.Saves
	}
}

// copied reports whether copies of the database lie beside where it should be: then it was
// there.
func (c Config) copied(dir string) (bool, error) {
	for _, pattern := range c.Saves {
		found, err := doublestar.Glob(os.DirFS(dir), filepath.ToSlash(filepath.Clean(pattern)), doublestar.WithFilesOnly())
		if err != nil || len(found) > 0 {
			return err == nil, err
		}
	}
	return false, nil
}

// Peers are the targets that this one names.
func (c *Config) Peers() []service.PeerRef { return dataset.Writers(c.Writers) }
