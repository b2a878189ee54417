package sfapi

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// QueryOptions says how a query is made.
type QueryOptions struct {
	All       bool // queryAll: deleted and archived records too (facts 2.6)
	Tooling   bool // the Tooling API's objects
	BatchSize int  // records per page, 200 to 2,000; 0 lets Salesforce decide; it may give fewer in any case
}

// QueryPage is one page of a query's result.
type QueryPage struct {
	TotalSize      int
	Done           bool
	NextRecordsURL string            `json:"nextRecordsUrl"`
	Records        []json.RawMessage // as sent, for RowDecoder.Row or json.Unmarshal
}

// maxURI is what Salesforce takes as an address (facts 2.2, status 414).
const maxURI = 16384

// QueryPages runs a SOQL query and yields its pages in order. It ends after the first error. An expired cursor is an
// *Error with NextRestartQuery, a query too long for an address one with NextNarrow, found before anything is sent.
func (c *Client) QueryPages(ctx context.Context, soql string, o QueryOptions) iter.Seq2[*QueryPage, error] {
	return func(yield func(*QueryPage, error) bool) {
		next := c.queryPath(soql, o)
		for next != "" {
			page, err := c.queryPage(ctx, next, o)
			if err != nil {
				yield(nil, err)
				return
			}
			next = page.NextRecordsURL
			if page.Done {
				next = ""
			} else if next == "" {
				yield(nil, &anomaly{fmt.Errorf("query %s: Salesforce says that there is more and not where: run the query again", objectOf(soql)), NextRestartQuery})
				return
			}
			if !yield(page, nil) {
				return
			}
		}
	}
}

// Query runs a SOQL query and yields its records one by one; see QueryPages.
func (c *Client) Query(ctx context.Context, soql string, o QueryOptions) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		for page, err := range c.QueryPages(ctx, soql, o) {
			if err != nil {
				yield(nil, err)
				return
			}
			for _, record := range page.Records {
				if !yield(record, nil) {
					return
				}
			}
		}
	}
}

// Count returns how many records a query finds, without their content: soql must begin with SELECT COUNT().
func (c *Client) Count(ctx context.Context, soql string, o QueryOptions) (int, error) {
	page, err := c.queryPage(ctx, c.queryPath(soql, o), o)
	if err != nil {
		return 0, err
	}
	return page.TotalSize, nil
}

func (c *Client) queryPath(soql string, o QueryOptions) string {
	p := c.base()
	if o.Tooling {
		p += "/tooling"
	}
	p += "/query"
	if o.All {
		p += "All"
	}
	return withQuery(p, url.Values{"q": {soql}})
}

func (c *Client) queryPage(ctx context.Context, path string, o QueryOptions) (*QueryPage, error) {
	q := call{kind: "query", op: "read the next page of a query", path: path}
	if u, err := url.Parse(path); err == nil && u.Query().Has("q") {
		q.op = "query " + objectOf(u.Query().Get("q"))
	}
	if len(path) > maxURI-256 { // the host's name and the method are part of what is counted
		return nil, &Error{Op: q.op, Host: "this program", Status: http.StatusRequestURITooLong, Message: "the query does not fit into an address"}
	}
	if o.BatchSize > 0 {
		q.header = http.Header{"Sforce-Query-Options": {"batchSize=" + strconv.Itoa(o.BatchSize)}}
	}
	var page QueryPage
	if err := c.fetchJSON(ctx, q, &page); err != nil {
		return nil, err
	}
	return &page, nil
}

// objectOf names the object of a query for messages: the word after FROM.
func objectOf(soql string) string {
	words := strings.Fields(soql)
	for i, w := range words {
		if strings.EqualFold(w, "FROM") && i+1 < len(words) {
			return words[i+1]
		}
	}
	return "without FROM"
}

// Quote makes a SOQL string literal of s (facts 2.6).
func Quote(s string) string {
	return "'" + quoter.Replace(s) + "'"
}

var quoter = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\f", `\f`, "\b", `\b`)
