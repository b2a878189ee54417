package harness

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Control steers the simulated org by its control address.
type Control struct{ URL string }

// Refusal is an answer of the org that says no.
type Refusal struct {
	Status int
	Code   string `json:"errorCode"` // Salesforce's, when the org refused the change
	Text   string `json:"error"`
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("the simulated org refused (%d %s): %s", r.Status, r.Code, r.Text)
}

// Do sends a request; body and answer may be nil.
func (c Control) Do(ctx context.Context, method, path string, body, answer any) error {
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		in = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.URL+path, in)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("steer the simulated org: %w", err)
	}
	defer reply.Body.Close()
	if reply.StatusCode >= 300 {
		r := &Refusal{Status: reply.StatusCode}
		if err := json.NewDecoder(reply.Body).Decode(r); err != nil {
			return fmt.Errorf("steer the simulated org: %s %s: %s", method, path, reply.Status)
		}
		return r
	}
	if answer == nil {
		_, err = io.Copy(io.Discard, reply.Body)
	} else {
		err = json.NewDecoder(reply.Body).Decode(answer)
	}
	if err != nil {
		return fmt.Errorf("read answer to %s %s: %w", method, path, err)
	}
	return nil
}

// IDs lists the live records of an object, in the org's order.
func (c Control) IDs(ctx context.Context, object string) ([]string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+"/org/"+object, nil)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", object, err)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", object, err)
	}
	defer reply.Body.Close()
	var out []string
	lines := bufio.NewScanner(reply.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var row struct {
			ID string `json:"Id"`
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			return nil, fmt.Errorf("list %s: %w", object, err)
		}
		out = append(out, row.ID)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("list %s: %w", object, err)
	}
	return out, nil
}

// Operation is one step of a transaction.
type Operation struct {
	Op     string         `json:"op"`
	Object string         `json:"object"`
	ID     string         `json:"id,omitempty"`
	Losers []string       `json:"losers,omitempty"`
	Fields map[string]any `json:"fields,omitempty"`
	As     string         `json:"as,omitempty"`
}

// Transaction is several operations that commit together.
type Transaction struct {
	Operations  []Operation `json:"operations"`
	Direct      bool        `json:"direct,omitempty"`       // behind the application's back: gap events
	CommitAfter string      `json:"commit_after,omitempty"` // saved now, committed later
}

// Transact carries out a transaction and returns the id of each operation's record.
func (c Control) Transact(ctx context.Context, t Transaction) ([]string, error) {
	var answer struct {
		IDs []string `json:"ids"`
	}
	err := c.Do(ctx, http.MethodPost, "/transaction", t, &answer)
	return answer.IDs, err
}
