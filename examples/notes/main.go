// Command notes is a small service with a PostgreSQL database that two of its versions use at the same time. Version 1.0
// stores the text of a note in the column text, 2.0 in the column body, and 3.0 removes the column text.
// docs/explanation/migrations.md explains why that takes three releases.
//
//	notes            serves on PORT, 3000 by default
//	notes migrate    migrates the schema to this version; can be repeated
//
//	POST /notes        key=...&text=...    adds a note
//	PUT  /notes/{key}  text=...            changes it
//	GET  /notes                            all notes, one JSON object per line
//
// VERSION comes with the image. DB_HOST, DB_PORT, DB_USER (also the name of the database), DB_SCHEMA and DB_PASSWORD come
// from the Deployment, PGSSLMODE where the database has no TLS.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lib/pq"
)

// columns is the column that each version reads and writes.
var columns = map[string]string{"1.0": "text", "2.0": "body", "3.0": "body"}

type app struct {
	version, column string
	db              *sql.DB
}

func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "notes %s\n", a.version) })
	mux.HandleFunc("GET /ready", a.ready)
	mux.HandleFunc("GET /notes", a.list)
	mux.HandleFunc("POST /notes", a.add)
	mux.HandleFunc("PUT /notes/{key}", a.change)
	return mux
}

// ready queries the column, so that a version whose migration has not run is never ready.
func (a *app) ready(w http.ResponseWriter, r *http.Request) {
	if _, err := a.db.ExecContext(r.Context(), "SELECT key, "+a.column+" FROM notes LIMIT 0"); err != nil {
		fail(w, http.StatusServiceUnavailable, err)
	}
}

func (a *app) add(w http.ResponseWriter, r *http.Request) {
	query := "INSERT INTO notes (key, " + a.column + ") VALUES ($1, $2)"
	if _, err := a.db.ExecContext(r.Context(), query, r.FormValue("key"), r.FormValue("text")); err != nil {
		fail(w, http.StatusInternalServerError, err)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

func (a *app) change(w http.ResponseWriter, r *http.Request) {
	query := "UPDATE notes SET " + a.column + " = $2 WHERE key = $1"
	result, err := a.db.ExecContext(r.Context(), query, r.PathValue("key"), r.FormValue("text"))
	if err != nil {
		fail(w, http.StatusInternalServerError, err)
	} else if changed, _ := result.RowsAffected(); changed == 0 {
		http.NotFound(w, r)
	}
}

func (a *app) list(w http.ResponseWriter, r *http.Request) {
	rows, err := a.db.QueryContext(r.Context(), "SELECT key, "+a.column+" FROM notes ORDER BY id")
	if err != nil {
		fail(w, http.StatusInternalServerError, err)
		return
	}
	defer rows.Close()
	answer := json.NewEncoder(w)
	for rows.Next() {
		var note struct {
			Key  string `json:"key"`
			Text string `json:"text"`
		}
		if err = rows.Scan(&note.Key, &note.Text); err == nil {
			err = answer.Encode(note)
		}
		if err != nil {
			break
		}
	}
	if err := errors.Join(err, rows.Err()); err != nil {
		log.Print(err)
		panic(http.ErrAbortHandler) // so that the client does not take a part of the list for all of it
	}
}

func fail(w http.ResponseWriter, status int, err error) {
	log.Print(err)
	http.Error(w, "the database operation failed; see the log", status)
}

func (a *app) serve(ctx context.Context) error {
	server := &http.Server{Addr: ":" + or(os.Getenv("PORT"), "3000"), Handler: a.handler(), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	fmt.Printf("notes %s, column %s\n", a.version, a.column)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return server.Shutdown(drain)
}

func open() *sql.DB {
	at := url.URL{
		Scheme:   "postgres",
		Host:     net.JoinHostPort(os.Getenv("DB_HOST"), or(os.Getenv("DB_PORT"), "5432")),
		User:     url.UserPassword(os.Getenv("DB_USER"), os.Getenv("DB_PASSWORD")),
		RawQuery: url.Values{"search_path": {pq.QuoteIdentifier(os.Getenv("DB_SCHEMA"))}, "connect_timeout": {"5"}}.Encode(),
	}
	db, err := sql.Open("postgres", at.String())
	if err != nil {
		log.Fatalf("DB_HOST, DB_PORT, DB_USER or DB_SCHEMA cannot be used: %v", err)
	}
	// Two colors with several pods each share the server's connection limit, 100 by default.
	db.SetMaxOpenConns(10)
	db.SetMaxIdleConns(10)
	return db
}

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

func main() {
	log.SetFlags(0)
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	a := &app{version: os.Getenv("VERSION"), db: open()}
	var known bool
	if a.column, known = columns[a.version]; !known {
		log.Fatalf("VERSION=%q is not a version of notes", a.version)
	}
	run := a.serve
	if len(os.Args) > 1 {
		if os.Args[1] != "migrate" {
			log.Fatalf("%q is not a command: migrate, or none to serve", os.Args[1])
		}
		run = a.migrate
	}
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}
