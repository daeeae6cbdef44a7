// Command standin answers like a Qdrant database, for tests that need a
// database's pods but not its vectors. It keeps the names of its collections in
// its storage folder, so that a test can see that a volume outlives a pod.
//
//	APP_VERSION                  the version it claims to be (default 1.0.0)
//	QDRANT__SERVICE__HTTP_PORT   the port (default 6333)
//	QDRANT__SERVICE__API_KEY     required in the header api-key, if set
//	QDRANT__STORAGE__STORAGE_PATH  the storage folder (default /qdrant/storage)
//	READY_AFTER                  how long /readyz answers 503, such as 10s; "never" for ever
package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

type database struct {
	id, version, apiKey, storage string
	started, ready               time.Time
}

func main() {
	wait, err := readyAfter(os.Getenv("READY_AFTER"))
	if err != nil {
		log.Fatalf("READY_AFTER: %v", err)
	}
	now := time.Now()
	db := &database{
		id:      newID(),
		version: setting("APP_VERSION", "1.0.0"),
		apiKey:  os.Getenv("QDRANT__SERVICE__API_KEY"),
		storage: setting("QDRANT__STORAGE__STORAGE_PATH", "/qdrant/storage"),
		started: now,
		ready:   now.Add(wait),
	}
	server := &http.Server{
		Addr:              ":" + setting("QDRANT__SERVICE__HTTP_PORT", "6333"),
		Handler:           db.routes(),
		ReadHeaderTimeout: 10 * time.Second,
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	go func() {
		<-stop.Done()
		_ = server.Shutdown(context.Background())
	}()
	log.Printf("standin %s listens on %s", db.version, server.Addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}

func (db *database) routes() http.Handler {
	open, guarded := http.NewServeMux(), http.NewServeMux()
	open.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"title": "qdrant - vector search engine", "version": db.version})
	})
	for path, text := range map[string]string{"/healthz": "healthz check passed", "/livez": "livez check passed"} {
		open.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) })
	}
	open.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if time.Now().Before(db.ready) {
			http.Error(w, "some shards are not ready", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("all shards are ready"))
	})
	guarded.HandleFunc("GET /telemetry", db.telemetry)
	guarded.HandleFunc("GET /collections", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, result(map[string]any{"collections": db.collections()}))
	})
	guarded.HandleFunc("PUT /collections/{name}", named(db.create))
	guarded.HandleFunc("DELETE /collections/{name}", named(db.remove))
	open.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("api-key")), []byte(db.apiKey)) != 1 {
			http.Error(w, "Must provide an API key or an Authorization bearer token", http.StatusUnauthorized)
			return
		}
		guarded.ServeHTTP(w, r)
	})
	return open
}

func (db *database) telemetry(w http.ResponseWriter, _ *http.Request) {
	collections := db.collections()
	answer(w, result(map[string]any{
		"id": db.id,
		"app": map[string]any{
			"name":    "qdrant",
			"version": db.version,
			"startup": db.started.UTC().Format(time.RFC3339Nano),
		},
		"collections": map[string]any{"number_of_collections": len(collections), "collections": collections},
		"cluster":     map[string]any{"enabled": false},
	}))
}

type collection struct {
	Name string `json:"name"`
}

func (db *database) collections() []collection {
	found := []collection{}
	entries, _ := os.ReadDir(filepath.Join(db.storage, "collections"))
	for _, entry := range entries {
		found = append(found, collection{entry.Name()})
	}
	return found
}

var collectionName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

// A name that could leave the storage folder goes no further.
func named(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !collectionName.MatchString(r.PathValue("name")) {
			http.Error(w, "bad collection name", http.StatusBadRequest)
			return
		}
		handler(w, r)
	}
}

func (db *database) create(w http.ResponseWriter, r *http.Request) {
	if err := os.MkdirAll(db.folder(r.PathValue("name")), 0o755); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, result(true))
}

func (db *database) remove(w http.ResponseWriter, r *http.Request) {
	if err := os.Remove(db.folder(r.PathValue("name"))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, result(true))
}

func (db *database) folder(name string) string { return filepath.Join(db.storage, "collections", name) }

func result(value any) map[string]any {
	return map[string]any{"result": value, "status": "ok", "time": 0.0}
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func readyAfter(text string) (time.Duration, error) {
	switch text {
	case "":
		return 0, nil
	case "never":
		return 1 << 62, nil
	}
	return time.ParseDuration(text)
}

func newID() string {
	bytes := make([]byte, 16)
	_, _ = rand.Read(bytes)
	return hex.EncodeToString(bytes)
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
