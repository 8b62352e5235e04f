package neo4j

import (
	"context"
	"fmt"
	"strings"

	driver "github.com/neo4j/neo4j-go-driver/v5/neo4j"

	"upkeep/internal/service"
)

// server is what answers at the address.
type server struct{ version, edition string }

func (l *link) server(ctx context.Context) (about server, err error) {
	err = l.readIn(ctx, system, "CALL dbms.components() YIELD name, versions, edition", nil,
		func(r *driver.Record) error {
			if versions := texts(r.Values[1]); r.Values[0] == "Neo4j Kernel" && len(versions) > 0 {
				about.version = versions[0]
				about.edition, _ = r.Values[2].(string)
			}
			return nil
		})
	if err == nil && about.version == "" {
		err = fmt.Errorf("%s does not tell its version: %w", l.host, service.ErrUnsupported)
	}
	return about, err
}

// majorOf is "5" of "5.26.28" and "2026" of "2026.08.1".
func majorOf(version string) string {
	major, _, _ := strings.Cut(version, ".")
	return major
}

// database is one row of SHOW DATABASES.
type database struct {
	name, id, store   string
	status, statusMsg string
	access            string
	writer            bool
}

func (d database) online() bool   { return d.status == "online" }
func (d database) writable() bool { return d.access == "read-write" && d.writer }

// database returns the declared one, or an error wrapping ErrNotFound.
func (l *link) database(ctx context.Context) (database, error) {
	var all []database
	err := l.readIn(ctx, system, "SHOW DATABASES YIELD name, databaseID, store, currentStatus, statusMessage, access, writer", nil,
		func(r *driver.Record) error {
			var d database
			for i, to := range []*string{&d.name, &d.id, &d.store, &d.status, &d.statusMsg, &d.access} {
				*to, _ = r.Values[i].(string)
			}
			d.writer, _ = r.Values[6].(bool)
			all = append(all, d)
			return nil
		})
	if err != nil {
		return database{}, fmt.Errorf("list databases: %w", err)
	}
	for _, d := range all {
		if strings.EqualFold(d.name, l.name) {
			return d, nil
		}
	}
	return database{}, fmt.Errorf("%s has no database %s: %w", l.host, l.name, service.ErrNotFound)
}

// names lists labels or relationship types.
func (l *link) names(ctx context.Context, procedure string) (all []string, err error) {
	err = l.read(ctx, "CALL "+procedure, nil, func(r *driver.Record) error {
		name, _ := r.Values[0].(string)
		all = append(all, name)
		return nil
	})
	return all, err
}

func (l *link) labels(ctx context.Context) ([]string, error) { return l.names(ctx, "db.labels()") }
func (l *link) types(ctx context.Context) ([]string, error) {
	return l.names(ctx, "db.relationshipTypes()")
}

// These four are answered from the count store, whatever the size of the graph.
const (
	countNodes         = "MATCH (n) RETURN count(n)"
	countRelationships = "MATCH ()-[r]->() RETURN count(r)"
)

func countLabel(label string) string { return "MATCH (n:" + quote(label) + ") RETURN count(n)" }
func countType(kind string) string   { return "MATCH ()-[r:" + quote(kind) + "]->() RETURN count(r)" }
