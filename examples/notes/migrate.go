package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"

	"github.com/lib/pq"
)

// step is one change of the schema. It runs once per schema, in one transaction with the record that it has run. A step with
// batch runs repeatedly, each time in a transaction of its own, until nothing is left to do.
type step struct {
	version, name, sql string
	batch              bool
}

// steps must not change after their release: a schema that has a step does not get it again.
var steps = []step{
	{version: "1.0", name: "make notes", sql: `
		CREATE TABLE notes (
			id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
			key text NOT NULL,
			text text NOT NULL
		);
		CREATE INDEX ON notes (key)`},

	// Expand: 1.0 serves during and after this step, and does not know the column body. A trigger keeps both columns equal,
	// because no code of 2.0 sees a write by 1.0.
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
	// In batches: a single statement would lock every row until the last one is done.
	{version: "2.0", name: "fill body", batch: true, sql: `
		UPDATE notes SET body = text
		WHERE id IN (SELECT id FROM notes WHERE body IS NULL ORDER BY id LIMIT 1000 FOR UPDATE)`},

	// Contract: 2.0 serves while this runs, and does not use the column text. 1.0 cannot serve afterwards.
	{version: "3.0", name: "drop text", sql: `
		DROP TRIGGER same_text_and_body ON notes;
		DROP FUNCTION same_text_and_body();
		ALTER TABLE notes ALTER COLUMN body SET NOT NULL;
		ALTER TABLE notes DROP COLUMN text`},
}

// migrate runs the steps up to this version that the schema does not have. Concurrent runs wait for each other.
func (a *app) migrate(ctx context.Context) error {
	db, err := a.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("the database does not answer: %w", err)
	}
	defer db.Close()
	schema := os.Getenv("DB_SCHEMA")
	// ALTER TABLE waits for running transactions, and all later ones wait for it. So it must fail soon instead of waiting.
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
	// Several statements in one call run in one transaction.
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
