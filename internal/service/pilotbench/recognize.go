package pilotbench

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"upkeep/internal/service"
	"upkeep/internal/tables/footer"
)

var _ service.Recognizer = (*Config)(nil)

// Recognize takes a directory for a store that holds the database, or the directory of the
// Parquet file.
func (c *Config) Recognize(dir string) (r service.Recognized, ok bool) {
	database, tabular := is(dir, master, fs.FileMode.IsRegular), is(dir, filepath.Dir(results), fs.FileMode.IsDir)
	if !database && !tabular {
		return r, false
	}
	r.Name = "results"
	say(&r, tellDatabase(dir, database))
	say(&r, tellResults(dir, is(dir, results, fs.FileMode.IsRegular)))
	for _, name := range []string{filepath.Dir(master), filepath.Dir(results), "temp_results"} {
		if is(dir, name, fs.FileMode.IsDir) {
			r.Holds = append(r.Holds, filepath.Join(dir, name))
		}
	}
	if is(dir, config, fs.FileMode.IsRegular) {
		r.Config = []string{filepath.Join(dir, config)}
	}
	if is(dir, "logs", fs.FileMode.IsDir) {
		r.Logs = []string{filepath.Join(dir, "logs")}
	}
	return r, true
}

// config holds keys of providers.
const config = "config/config.json"

func is(dir, name string, sort func(fs.FileMode) bool) bool {
	info, err := os.Stat(filepath.Join(dir, name))
	return err == nil && sort(info.Mode())
}

// told is what one file shows, and whether that is what it should be.
type told struct {
	service.Message
	sure bool
}

func say(r *service.Recognized, t told) {
	if t.sure {
		r.About = append(r.About, t.Message)
		return
	}
	r.Unsure = append(r.Unsure, t.Message)
}

func message(id string, args service.Args) service.Message {
	return service.Message{ID: "pilotbench." + id, Args: args}
}

func tellDatabase(dir string, there bool) told {
	args := service.Args{"path": master}
	if !there {
		return told{message("not-there", args), false}
	}
	version, err := readVersion(filepath.Join(dir, master))
	if err != nil {
		return told{message("database-unread", args), false}
	}
	args["version"] = short(version)
	if databases()[version] == nil {
		return told{message("version-unsure", args), false}
	}
	return told{message("database", args), true}
}

// short bounds what a file of somebody else's says of itself.
func short(version string) string {
	const longest = 20
	return strings.ToValidUTF8(version[:min(len(version), longest)], "?")
}

func tellResults(dir string, there bool) told {
	args := service.Args{"path": results}
	if !there {
		return told{message("not-there", args), false}
	}
	f, err := footer.Read(filepath.Join(dir, results))
	if err != nil {
		return told{message("results-unread", args), false}
	}
	of := generationOf(f)
	args["generation"], args["columns"], args["rows"] = string(of), len(f.Columns), f.Rows
	if of == "" {
		return told{message("generation-unsure", args), false}
	}
	return told{message("results", args), true}
}
