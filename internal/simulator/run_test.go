package simulator

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestServePrintsWhereAndHow(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	pipe, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(ctx, Config{KeyDir: t.TempDir(), Login: loopback}, out)
	}()
	line, err := bufio.NewReader(pipe).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var ready Ready
	if err := json.Unmarshal([]byte(line), &ready); err != nil {
		t.Fatal(err)
	}
	v := reflect.ValueOf(ready)
	for i := range v.NumField() {
		if v.Field(i).String() == "" {
			t.Errorf("%s is empty", v.Type().Field(i).Name)
		}
	}
	if ready.LoginURL == ready.InstanceURL {
		t.Error("the login host has an address of its own")
	}
	if key, err := os.ReadFile(ready.JWTKeyFile); err != nil || !strings.Contains(string(key), "BEGIN PRIVATE KEY") {
		t.Errorf("key file: %v", err)
	}
	form := url.Values{"grant_type": {"password"}, "client_id": {ready.ClientID}, "client_secret": {ready.ClientSecret}, "username": {ready.Username}, "password": {ready.Password}}
	var token tokenResponse
	post(t, http.DefaultClient, ready.LoginURL+tokenPath, form, &token)
	if token.InstanceURL != ready.InstanceURL {
		t.Errorf("instance_url %s, want %s", token.InstanceURL, ready.InstanceURL)
	}
	r, _ := http.NewRequestWithContext(t.Context(), "GET", ready.LoginURL+rest, nil)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the login host answers data calls with %d", resp.StatusCode)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Serve ended with %v", err)
	}
}

func post(t *testing.T, client *http.Client, address string, form url.Values, into any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	sim, err := New(Config{TLS: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- sim.Run(ctx) }()
	ready, err := sim.AwaitReady(ctx)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // the certificate signs itself
	client := &http.Client{Transport: transport}
	var token tokenResponse
	post(t, client, ready.LoginURL+tokenPath, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {ready.RefreshToken}, "client_id": {ready.ClientID}, "client_secret": {ready.ClientSecret}}, &token)
	if !strings.HasPrefix(ready.InstanceURL, "https://") || token.InstanceURL != ready.InstanceURL {
		t.Errorf("instance_url %s, ready %s", token.InstanceURL, ready.InstanceURL)
	}
	transport.CloseIdleConnections()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first, _ := New(Config{})
	ended := make(chan error, 1)
	go func() { ended <- first.Run(ctx) }()
	ready, err := first.AwaitReady(ctx)
	if err != nil {
		t.Fatal(err)
	}
	second, _ := New(Config{Listen: strings.TrimPrefix(ready.InstanceURL, "http://")})
	if err := second.Run(ctx); err == nil || !strings.Contains(err.Error(), "choose another address") {
		t.Errorf("got %v", err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
