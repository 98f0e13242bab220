package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"

	"github.com/lib/pq"
)

// step is one change of the schema. It runs once for each schema, in a transaction together with the note that it ran.
// One with batch runs that many times, each time for itself, until a run finds nothing more to do.
type step struct {
	version, name, sql string
	batch              bool
}

// steps never change once they are released: a schema that has one is not given it again.
var steps = []step{
	{version: "1.0", name: "make notes", sql: `
		CREATE TABLE notes (
			id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
			key text NOT NULL,
			text text NOT NULL
		);
		CREATE INDEX ON notes (key)`},

	// Expand: 1.0 serves while this runs and afterwards, and knows nothing of body. The database keeps both columns the
	// same, whichever version writes: of a write by 1.0, no code of 2.0 ever hears.
	{version: "2.0", name: "add body", sql: `
		ALTER TABLE notes ADD COLUMN body text;
		CREATE FUNCTION same_text_and_body() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF TG_OP = 'INSERT' THEN
				NEW.body := coalesce(NEW.body, NEW.text);
				NEW.text := coalesce(NEW.text, NEW.body);
			ELSIF NEW.body IS DISTINCT FROM OLD.body THEN
				NEW.text := NEW.body;
			ELSE
				NEW.body := NEW.text;
			END IF;
			RETURN NEW;
		END $$;
		CREATE TRIGGER same_text_and_body BEFORE INSERT OR UPDATE ON notes
			FOR EACH ROW EXECUTE FUNCTION same_text_and_body()`},
	// In batches: one statement would hold the lock of every row until the last is done.
	{version: "2.0", name: "fill body", batch: true, sql: `
		UPDATE notes SET body = text
		WHERE id IN (SELECT id FROM notes WHERE body IS NULL ORDER BY id LIMIT 1000 FOR UPDATE)`},

	// Contract: when this runs 2.0 serves, which does not know text. 1.0 could not serve any more.
	{version: "3.0", name: "drop text", sql: `
		DROP TRIGGER same_text_and_body ON notes;
		DROP FUNCTION same_text_and_body();
		ALTER TABLE notes ALTER COLUMN body SET NOT NULL;
		ALTER TABLE notes DROP COLUMN text`},
}

// migrate runs the steps up to this version that the schema does not have. Two at the same time wait for each other.
func (a *app) migrate(ctx context.Context) error {
	db, err := a.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("the database does not answer: %w", err)
	}
	defer db.Close()
	schema := os.Getenv("DB_SCHEMA")
	// A change of a table waits for whoever uses it, and everybody else then waits for the change: better to give up soon.
	prepare := `SELECT pg_advisory_lock(hashtext('notes'), hashtext(` + pq.QuoteLiteral(schema) + `));
		SET lock_timeout = '5s';
		CREATE SCHEMA IF NOT EXISTS ` + pq.QuoteIdentifier(schema) + `;
		CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY)`
	if _, err := db.ExecContext(ctx, prepare); err != nil {
		return fmt.Errorf("the schema %s cannot be prepared: %w", schema, err)
	}
	for _, s := range steps {
		if s.version > a.version {
			break
		}
		if err := s.run(ctx, db); err != nil {
			return fmt.Errorf("%s: %s: %w", s.version, s.name, err)
		}
	}
	return nil
}

func (s step) run(ctx context.Context, db *sql.Conn) error {
	var has bool
	if err := db.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM migrations WHERE name = $1)", s.name).Scan(&has); err != nil {
		return err
	}
	if has {
		fmt.Printf("%s: %s: done before\n", s.version, s.name)
		return nil
	}
	query := s.sql
	if s.batch {
		if err := s.repeat(ctx, db); err != nil {
			return err
		}
		query = ""
	}
	// Several statements in one call are one transaction.
	query += "; INSERT INTO migrations VALUES (" + pq.QuoteLiteral(s.name) + ")"
	if _, err := db.ExecContext(ctx, query); err != nil {
		return err
	}
	fmt.Printf("%s: %s: done\n", s.version, s.name)
	return nil
}

func (s step) repeat(ctx context.Context, db *sql.Conn) error {
	for {
		result, err := db.ExecContext(ctx, s.sql)
		if err != nil {
			return err
		}
		if changed, err := result.RowsAffected(); changed == 0 || err != nil {
			return err
		}
	}
}
