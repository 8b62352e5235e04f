package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Need skips the test when a component is missing, with the way to get it; with
// CI=true a missing component is a failure. Components are "postgres",
// "postgres 15", "redis", "minio", "docker", "rabbitmq", "celery", "smtp", "neo4j",
// "cot-studio", "machine", "root", or the name of any program.
func Need(t TB, components ...string) {
	t.Helper()
	for _, c := range components {
		err := Find(c)
		if err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("lab: %s is needed and CI=true forbids to skip: %v", c, err)
			return
		}
		t.Skipf("lab: skipped, because %s is missing: %v", c, err)
		return
	}
}

// Find reports why a component cannot be used; nil means that it can.
func Find(component string) error {
	name, version, _ := strings.Cut(component, " ")
	switch name {
	case "root":
		if os.Geteuid() != 0 {
			return fmt.Errorf("run the tests as root")
		}
		return nil
	case "postgres":
		major, err := strconv.Atoi(version)
		if version != "" && err != nil {
			return fmt.Errorf("%q is not a major version of PostgreSQL", version)
		}
		_, err = postgresBin(major)
		return err
	case "minio":
		_, err := MinIOProgram()
		return err
	case "neo4j":
		if _, err := exec.LookPath("java"); err != nil {
			return fmt.Errorf("java is not on PATH; as root, lab/install installs it")
		}
		_, err := Neo4jBin()
		return err
	case "cot-studio":
		_, err := CotPython()
		return err
	case "redis":
		name = "redis-server"
	case "docker":
		return findDocker()
	case "rabbitmq":
		_, err := rabbitProgram()
		return err
	case "celery":
		_, err := celeryProgram()
		return err
	case "smtp":
		_, err := smtpPython()
		return err
	case "machine":
		return findMachine()
	}
	_, err := exec.LookPath(name)
	if err != nil {
		return fmt.Errorf("%s is not on PATH; as root, lab/install installs it", name)
	}
	return nil
}

func postgresComponent(major int) string {
	if major == 0 {
		return "postgres"
	}
	return "postgres " + strconv.Itoa(major)
}

// postgresBin is the directory of initdb and postgres of one major version, or of
// the newest one installed. Debian's packages come first, then what lab/install
// unpacked: for root where other users can enter, else in the user's cache.
func postgresBin(major int) (string, error) {
	places := []string{"/usr/lib/postgresql", "/var/cache/upkeep-lab/postgresql"}
	if cache, err := os.UserCacheDir(); err == nil {
		places = append(places, filepath.Join(cache, "upkeep-lab", "postgresql"))
	}
	for _, place := range places {
		if bin := newestBin(place, major); bin != "" {
			return bin, nil
		}
	}
	if major == 0 {
		return "", fmt.Errorf("no PostgreSQL server is installed; as root, lab/install installs one")
	}
	return "", fmt.Errorf("PostgreSQL %d is not installed; lab/install --postgres %d fetches it", major, major)
}

func newestBin(place string, major int) string {
	found, err := filepath.Glob(filepath.Join(place, "*", "bin", "postgres"))
	if err != nil || len(found) == 0 {
		return ""
	}
	version := func(path string) int {
		n, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		if err != nil {
			return 0
		}
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	for _, path := range found {
		if major == 0 || version(path) == major {
			return filepath.Dir(path)
		}
	}
	return ""
}
