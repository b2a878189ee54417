package sfapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// APIVersion is one version that the host serves.
type APIVersion struct {
	Label   string // "Spring '26"
	URL     string
	Version string // "66.0"
}

// Versions lists the API versions that the host serves. It needs no token and costs no API call, so it tells whether
// the host is Salesforce at all (facts 2.4).
func (c *Client) Versions(ctx context.Context) ([]APIVersion, error) {
	var out []APIVersion
	err := c.fetchJSON(ctx, call{kind: "versions", op: "list API versions", path: "/services/data", anonymous: true}, &out)
	return out, err
}

// ServerTime returns Salesforce's clock, from the Date header of an answer that costs no API call; it is exact to the
// second. Positions in time must be made from it and never from this machine's clock.
func (c *Client) ServerTime(ctx context.Context) (time.Time, error) {
	_, header, err := c.fetch(ctx, call{kind: "versions", op: "ask for the server's time", path: "/services/data", anonymous: true})
	if err != nil {
		return time.Time{}, err
	}
	t, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return time.Time{}, fmt.Errorf("ask for the server's time: the answer has no Date header: check the proxy on the way")
	}
	return t, nil
}

// Probe makes the cheapest call that proves api scope, API Enabled and a live session (facts 1.9).
func (c *Client) Probe(ctx context.Context) error {
	_, _, err := c.fetch(ctx, call{kind: "probe", op: "call the REST API", path: c.base() + "/"})
	return err
}

// Member is one entity selected for Change Data Capture and the channel that carries it.
type Member struct {
	Channel string `json:"EventChannel"`   // ChangeEvents, or the id of a custom channel (0YL…)
	Entity  string `json:"SelectedEntity"` // AccountChangeEvent, Employee__ChangeEvent
}

// Members lists which entities are selected for Change Data Capture. It needs View Setup and Configuration (facts 5.6).
func (c *Client) Members(ctx context.Context) ([]Member, error) {
	var out []Member
	for record, err := range c.Query(ctx, "SELECT EventChannel, SelectedEntity FROM PlatformEventChannelMember", QueryOptions{Tooling: true}) {
		if err != nil {
			return nil, err
		}
		var m Member
		if err := json.Unmarshal(record, &m); err != nil {
			return nil, fmt.Errorf("list selected entities: decode reply: %w", err)
		}
		out = append(out, m)
	}
	return out, nil
}

// Blob streams the raw bytes of a blob field: ContentVersion/VersionData, ContentNote/Content, Attachment/Body (facts
// 2.8). The caller closes it. One API call each.
func (c *Client) Blob(ctx context.Context, object, id, field string) (io.ReadCloser, error) {
	resp, err := c.open(ctx, call{
		kind: "blob", op: "read " + object + " " + id + " " + field, accept: "*/*",
		path: c.base() + "/sobjects/" + url.PathEscape(object) + "/" + url.PathEscape(id) + "/" + url.PathEscape(field),
	})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}
