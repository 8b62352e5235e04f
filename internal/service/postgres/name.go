package postgres

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// escape makes a part of a part's name out of any identifier: letters, digits, _
// and - stay, in every script; each other byte becomes %XX. Two identifiers never
// give the same text, and none holds "/" or ".".
func escape(identifier string) string {
	var b strings.Builder
	for i := 0; i < len(identifier); {
		r, size := utf8.DecodeRuneInString(identifier[i:])
		plain := r == '_' || r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r)
		if plain && (r != utf8.RuneError || size > 1) {
			b.WriteString(identifier[i : i+size])
		} else {
			for _, c := range []byte(identifier[i : i+size]) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		}
		i += size
	}
	return b.String()
}

// Names of parts and, where a part has one, of its entry in the manifest.
const globalsName = "globals.sql"

func schemaName(database string) string       { return escape(database) + "/schema.dump" }
func largeObjectsName(database string) string { return escape(database) + "/large-objects.dump" }

func tableName(database, schema, table string) string {
	return escape(database) + "/tables/" + escape(schema) + "." + escape(table)
}

func sequenceName(database, schema, sequence string) string {
	return escape(database) + "/sequences/" + escape(schema) + "." + escape(sequence)
}

// quote writes an identifier, qualified or not, as SQL.
func quote(name ...string) string { return pgx.Identifier(name).Sanitize() }

// literal writes text as an SQL string, whatever standard_conforming_strings is.
func literal(text string) string {
	quoted := strings.ReplaceAll(text, "'", "''")
	if strings.Contains(text, `\`) {
		return " E'" + strings.ReplaceAll(quoted, `\`, `\\`) + "'"
	}
	return "'" + quoted + "'"
}

// conninfo names a database to a program of PostgreSQL. A bare name would be taken
// for a connection string where it holds "=" or looks like a URL.
func conninfo(database string) string {
	return "dbname='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(database) + "'"
}
