// Package shortlink serves redirects from an in-memory table.
package shortlink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

var ErrUnknown = errors.New("shortlink: unknown slug")

type Link struct {
	Slug    string    `json:"slug"`
	Target  string    `json:"target"`
	Created time.Time `json:"created_at"`
	Hits    uint64    `json:"hits,omitempty"`
}

type Store struct {
	mu    sync.RWMutex
	links map[string]*Link
	now   func() time.Time
}

func NewStore() *Store {
	return &Store{links: make(map[string]*Link, 1<<10), now: time.Now}
}

func (s *Store) Resolve(_ context.Context, slug string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	link, ok := s.links[slug]
	if !ok {
		return "", fmt.Errorf("resolve %q: %w", slug, ErrUnknown)
	}
	link.Hits++
	return link.Target, nil
}

func (s *Store) Handler(logger *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{slug}", func(w http.ResponseWriter, r *http.Request) {
		target, err := s.Resolve(r.Context(), r.PathValue("slug"))
		switch {
		case errors.Is(err, ErrUnknown):
			http.NotFound(w, r)
		case err != nil:
			logger.Error("resolve", "err", err, "path", r.URL.Path)
			http.Error(w, "internal error", http.StatusInternalServerError)
		default:
			http.Redirect(w, r, target, http.StatusFound)
		}
	})
	mux.HandleFunc("POST /links", func(w http.ResponseWriter, r *http.Request) {
		var link Link
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&link); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		link.Created = s.now().UTC().Truncate(time.Second)
		s.mu.Lock()
		s.links[link.Slug] = &link
		s.mu.Unlock()
		w.WriteHeader(http.StatusCreated)
	})
	return mux
}
