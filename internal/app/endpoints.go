package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Endpoints says where a running process can be reached: by Kafka clients, registry clients and browsers.
type Endpoints struct {
	PID      int    `json:"pid"`
	Kafka    string `json:"kafka"`    // host:port,host:port
	Registry string `json:"registry"` // URL
	Console  string `json:"console"`  // URL; empty when this process serves none
	Embedded bool   `json:"embedded"` // Kafka and registry live in this process
}

// endpointsFile lies in data_dir while a process runs there, so that other commands find its embedded parts.
const endpointsFile = "endpoints.json"

func writeEndpoints(dir string, e Endpoints) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write endpoints: %w", err)
	}
	path := filepath.Join(dir, endpointsFile)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return fmt.Errorf("write endpoints: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write endpoints: %w", err)
	}
	return nil
}

// readEndpoints returns what the process on this data_dir wrote; ok is false when none did.
func readEndpoints(dir string) (e Endpoints, ok bool, err error) {
	text, err := os.ReadFile(filepath.Join(dir, endpointsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return e, false, nil
	}
	if err != nil {
		return e, false, fmt.Errorf("read endpoints: %w", err)
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return e, false, fmt.Errorf("read endpoints %s: %w", filepath.Join(dir, endpointsFile), err)
	}
	return e, true, nil
}

// dropEndpoints takes the file away when it is this process's.
func dropEndpoints(dir string) {
	if e, ok, err := readEndpoints(dir); err == nil && ok && e.PID == os.Getpid() {
		_ = os.Remove(filepath.Join(dir, endpointsFile)) // stale at worst, and recognised as such
	}
}
