package config

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var deployed = filepath.Join("..", "..", "deploy")

// TestComposeStarts reads the example configuration under the environment that the compose file gives it.
func TestComposeStarts(t *testing.T) {
	t.Parallel()
	var compose struct {
		Services map[string]struct{ Environment map[string]string }
	}
	text, err := os.ReadFile(filepath.Join(deployed, "compose.yaml"))
	if err != nil || yaml.Unmarshal(text, &compose) != nil {
		t.Fatal(err)
	}
	var environ []string
	for name, value := range compose.Services["crosswalk"].Environment {
		environ = append(environ, name+"="+value)
	}
	c, err := Load(filepath.Join(deployed, "example", "crosswalk.yaml"), environ)
	if err != nil {
		t.Fatal(err)
	}
	if c.DataDir != "/data" || strings.Join(c.Kafka.Brokers, " ") != "kafka:9092" || c.Orgs[0].Salesforce.Auth.ClientSecret == "" || len(c.Ignored) > 0 {
		t.Errorf("the environment did not reach the configuration: %+v", c)
	}
}

// TestKubernetesStarts reads the manifest's configuration under its environment.
func TestKubernetesStarts(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(deployed, "kubernetes", "crosswalk.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "crosswalk.yaml")
	var environ []string
	for documents := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var d struct {
			Data map[string]string
			Spec struct {
				Template struct {
					Spec struct {
						Containers []struct {
							Env []struct{ Name, Value string }
						}
					}
				}
			}
		}
		if err := documents.Decode(&d); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if config := d.Data["crosswalk.yaml"]; config != "" {
			if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, container := range d.Spec.Template.Spec.Containers {
			for _, v := range container.Env {
				if v.Value == "" {
					v.Value = "from-a-secret"
				}
				environ = append(environ, v.Name+"="+v.Value)
			}
		}
	}
	c, err := Load(path, environ)
	if err != nil {
		t.Fatal(err)
	}
	if c.Console.Listen != "0.0.0.0:8080" || c.Orgs[0].Salesforce.Auth.ClientSecret == "" || c.Kafka.SASL.Password == "" || len(c.Ignored) > 0 {
		t.Errorf("the environment did not reach the configuration: %+v", c)
	}
}
