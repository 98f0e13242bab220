// Command app is the sample application of a release: a small HTTP server that says which version and color it is, is
// ready when it says so, drains when it is told to stop, and misbehaves on request. It needs nothing but its environment:
//
//	PORT            where it listens, 3000 by default
//	VERSION, COLOR  what it says it is; the image sets the first, the Deployment the second
//	DRAIN_DELAY     how long new requests are still served after SIGTERM, 1s by default
//	DRAIN_TIMEOUT   how long requests in flight may then take to finish, 20s by default
//	FAULT           never-ready, exit, slow or errors; empty for none
//	FAULT_DELAY     what slow adds to each answer of / and /ping, 5s by default
//	FAULT_RATE      the share of / and /ping that errors answers with 500, 0.05 by default
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	servedByHeader   = "X-Served-By" // the app's own word; x-color is the route's
	longestSlowReply = 30 * time.Second
)

// shownValues are the variables whose values /info shows. Of every other DB_ variable it shows the name alone: any of them
// may be a secret.
var shownValues = []string{"DB_HOST", "DB_PORT", "DB_SCHEMA", "NODE_ENV"}

type settings struct {
	port, version, color, pod string
	drainDelay, drainTimeout  time.Duration
	fault                     string
	faultDelay                time.Duration
	faultRate                 float64
}

// readSettings takes its variables from lookup and reports every value it cannot use at once.
func readSettings(lookup func(string) string) (settings, error) {
	var problems []error
	text := func(name, fallback string) string {
		if value := lookup(name); value != "" {
			return value
		}
		return fallback
	}
	duration := func(name, fallback string) time.Duration {
		value, err := time.ParseDuration(text(name, fallback))
		if err != nil || value < 0 {
			problems = append(problems, fmt.Errorf("%s=%q is not a duration such as 500ms or 20s", name, lookup(name)))
		}
		return value
	}
	s := settings{
		port:         text("PORT", "3000"),
		version:      text("VERSION", "unknown"),
		color:        lookup("COLOR"),
		pod:          lookup("HOSTNAME"),
		drainDelay:   duration("DRAIN_DELAY", "1s"),
		drainTimeout: duration("DRAIN_TIMEOUT", "20s"),
		fault:        lookup("FAULT"),
		faultDelay:   duration("FAULT_DELAY", "5s"),
	}
	switch s.fault {
	case "", "never-ready", "exit", "slow", "errors":
	default:
		problems = append(problems, fmt.Errorf("FAULT=%q is not one of never-ready, exit, slow, errors", s.fault))
	}
	rate, err := strconv.ParseFloat(text("FAULT_RATE", "0.05"), 64)
	if err != nil || !(rate >= 0 && rate <= 1) {
		problems = append(problems, fmt.Errorf("FAULT_RATE=%q is not a share between 0 and 1", lookup("FAULT_RATE")))
	}
	s.faultRate = rate
	return s, errors.Join(problems...)
}

type app struct {
	settings
	draining atomic.Bool
}

func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.misbehaving(a.home))
	mux.HandleFunc("GET /ping", a.misbehaving(a.ping))
	mux.HandleFunc("GET /ready", a.ready)
	mux.HandleFunc("GET /info", a.info)
	mux.HandleFunc("GET /slow", a.slow)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.color != "" {
			w.Header().Set(servedByHeader, a.color)
		}
		if a.draining.Load() {
			// Kept-alive connections move away with their next answer. SetKeepAlivesEnabled(false) would instead cut
			// the idle ones at once, under a request that may already be on its way.
			w.Header().Set("Connection", "close")
		}
		mux.ServeHTTP(w, r)
	})
}

func (a *app) misbehaving(next http.HandlerFunc) http.HandlerFunc {
	switch a.fault {
	case "slow":
		return func(w http.ResponseWriter, r *http.Request) {
			if pause(r.Context(), a.faultDelay) {
				next(w, r)
			}
		}
	case "errors":
		return func(w http.ResponseWriter, r *http.Request) {
			if rand.Float64() < a.faultRate {
				http.Error(w, "an error on request (FAULT=errors)", http.StatusInternalServerError)
				return
			}
			next(w, r)
		}
	}
	return next
}

func (a *app) home(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, map[string]any{"version": a.version, "color": a.color, "pod": a.pod})
}

func (a *app) ping(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintf(w, "Hi, this is version %s\n", a.version)
}

func (a *app) ready(w http.ResponseWriter, _ *http.Request) {
	ready := a.fault != "never-ready" && !a.draining.Load()
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	answerJSON(w, status, map[string]any{"ready": ready})
}

func (a *app) info(w http.ResponseWriter, _ *http.Request) {
	names := []string{}
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "DB_") {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	values := map[string]string{}
	for _, name := range shownValues {
		if value, present := os.LookupEnv(name); present {
			values[name] = value
		}
	}
	answerJSON(w, http.StatusOK, map[string]any{
		"version": a.version, "color": a.color, "pod": a.pod, "env": values, "envNames": names,
	})
}

// slow answers after ?seconds=, so that a test can hold a request in flight while a pod drains or a route moves.
func (a *app) slow(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.ParseFloat(r.URL.Query().Get("seconds"), 64)
	if err != nil || !(seconds >= 0 && seconds <= longestSlowReply.Seconds()) {
		http.Error(w, fmt.Sprintf("seconds must be a number from 0 to %g", longestSlowReply.Seconds()), http.StatusBadRequest)
		return
	}
	if pause(r.Context(), time.Duration(seconds*float64(time.Second))) {
		a.ping(w, r)
	}
}

// pause reports whether the whole delay passed, false when the client gave up first.
func pause(ctx context.Context, delay time.Duration) bool {
	select {
	case <-time.After(delay):
		return true
	case <-ctx.Done():
		return false
	}
}

func answerJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // fails only when the client has gone
}

// serve answers on listener until stop is closed, then drains in three steps: say not ready and go on serving, since
// whoever sends requests here learns of the end a moment later than we do; stop accepting; wait for what is in flight.
func (a *app) serve(listener net.Listener, stop <-chan struct{}) error {
	// No timeouts: closing a connection that waits for a request races with that request, and the proxy in front has one.
	// ReadHeaderTimeout would end also those that the proxy has opened in advance and not used yet.
	server := &http.Server{Handler: a.handler()}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving on %s stopped: %w", listener.Addr(), err)
	case <-stop:
	}
	a.draining.Store(true)
	time.Sleep(a.drainDelay)
	ctx, cancel := context.WithTimeout(context.Background(), a.drainTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return fmt.Errorf("requests were still in flight %s after the drain began; DRAIN_TIMEOUT allows longer: %w",
			a.drainDelay+a.drainTimeout, err)
	}
	return nil
}

func run() error {
	s, err := readSettings(os.Getenv)
	if err != nil {
		return err
	}
	if s.fault == "exit" {
		return errors.New("exiting on request (FAULT=exit)")
	}
	listener, err := net.Listen("tcp", ":"+s.port)
	if err != nil {
		return fmt.Errorf("cannot listen on PORT=%q: %w", s.port, err)
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	fmt.Printf("version %s, color %q, listening on %s\n", s.version, s.color, listener.Addr())
	return (&app{settings: s}).serve(listener, stop.Done())
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
