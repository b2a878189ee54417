package sfapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"golang.org/x/sync/errgroup"

	"crosswalk/internal/change"
)

// Page is one page of a job's results, as a stream. (job, Locator) names it for as long as the job exists: it can be
// read again any number of times.
type Page struct {
	JobID   string
	Locator string        // of this page; empty for the first
	Next    string        // of the page after it; empty when this is the last
	Records int           // as Salesforce announced: the reader must find as many
	Body    io.ReadCloser // CSV with a header row
}

// Last reports whether no page follows.
func (p *Page) Last() bool { return p.Next == "" }

// Rows reads the page's rows in the columns of schema, and fails at the end when there were not as many as announced.
func (p *Page) Rows(schema *change.Schema) *RowReader {
	r := NewRowReader(p.Body, schema)
	r.announced = p.Records
	return r
}

// Pages yields a complete job's result pages one after the other, beginning at locator ("" for the first). A page is
// closed when the loop goes on. It ends after the first error: a page that breaks off while it is read shows as an
// error of its reader; read on with Pages from that page's Locator. A job or results that no longer exist are a
// *JobError with Gone.
func (c *Client) Pages(ctx context.Context, job Job, locator string) iter.Seq2[*Page, error] {
	return func(yield func(*Page, error) bool) {
		for {
			page, err := c.openPage(ctx, job, c.resultPath(job, locator))
			if err != nil {
				yield(nil, err)
				return
			}
			page.Locator = locator
			more := yield(page, nil)
			if err := page.Body.Close(); err != nil && more && ctx.Err() == nil {
				c.log.Debug("bulk page closed with an error", "job", job.ID, "error", err)
			}
			if !more || page.Last() {
				return
			}
			if page.Next == locator {
				yield(nil, &anomaly{fmt.Errorf("read results of bulk job %s: page %q names itself as the next: the results are damaged, a new job is needed", job.ID, locator), NextNewJob})
				return
			}
			locator = page.Next
		}
	}
}

func (c *Client) resultPath(job Job, locator string) string {
	values := url.Values{}
	if locator != "" {
		values.Set("locator", locator)
	}
	if c.cfg.PageRows > 0 {
		values.Set("maxRecords", strconv.Itoa(c.cfg.PageRows))
	}
	return withQuery(job.path(c)+"/results", values)
}

// openPage asks for one page and checks its headers: without them the end of the results cannot be told from a proxy
// that strips what it does not know (facts 3.3).
func (c *Client) openPage(ctx context.Context, job Job, path string) (*Page, error) {
	q := call{kind: "results", op: "read results of bulk job " + job.ID, path: path, accept: "text/csv", uses: []Quota{QuotaVolume}}
	resp, err := c.open(ctx, q)
	if err != nil {
		return nil, jobGone(job, err)
	}
	page, err := pageOf(job, resp)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", q.op, err), resp.Body.Close())
	}
	return page, nil
}

func pageOf(job Job, resp *http.Response) (*Page, error) {
	if resp.StatusCode == http.StatusNoContent {
		return nil, &anomaly{errors.New("there are none yet: wait until the job is complete"), NextRetry}
	}
	locator := resp.Header.Values("Sforce-Locator")
	if len(locator) != 1 || locator[0] == "" {
		return nil, errors.New("the reply has no Sforce-Locator header, so whether more pages follow cannot be told: check the proxy on the way")
	}
	records, err := strconv.Atoi(resp.Header.Get("Sforce-NumberOfRecords"))
	if err != nil || records < 0 {
		return nil, errors.New("the reply has no Sforce-NumberOfRecords header, so whether it is whole cannot be told: check the proxy on the way")
	}
	page := &Page{JobID: job.ID, Next: locator[0], Records: records, Body: resp.Body}
	if page.Next == "null" {
		page.Next = ""
	}
	return page, nil
}

// EachPage reads a complete job's pages from locator on and calls fn with each, up to parallel at a time. In parallel
// the pages end in any order, so a caller that checkpoints may do so only up to the first page that is not yet done:
// index counts the pages from 0 in their order. fn must be safe for concurrent use and has the page to itself. The first
// error ends all.
//
// One list of pages (which Salesforce has from API version 58.0 on) tells where to begin in parallel; from its end on each page
// tells in its headers, before its rows have come, where the next one is. So a job costs one call more than it has pages:
// lists to the end would cost a fifth more. With parallel below 2, or with pages of a configured size (which the list does
// not know), it is Pages.
func (c *Client) EachPage(ctx context.Context, job Job, locator string, parallel int, fn func(ctx context.Context, index int, p *Page) error) error {
	if parallel < 2 || c.cfg.PageRows > 0 {
		index := 0
		for page, err := range c.Pages(ctx, job, locator) {
			if err != nil {
				return err
			}
			if err := fn(ctx, index, page); err != nil {
				return err
			}
			index++
		}
		return nil
	}
	list, whole, err := c.pageList(ctx, job, locator)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	var chain pageChain
	count := 0
	last := make(chan string, 1) // what the last page of the list says is the next
	read := func(i int, path string, next chan<- string) {
		group.Go(func() error {
			page, err := c.openPage(ctx, job, path)
			if err != nil {
				return err
			}
			page.Locator = locatorOf(path)
			chain.add(i, page.Locator, page.Next)
			if next != nil {
				next <- page.Next
			}
			return errors.Join(fn(ctx, i, page), page.Body.Close())
		})
	}
	for i, path := range list {
		var next chan<- string
		if i == len(list)-1 && !whole {
			next = last
		}
		read(i, path, next)
		count++
	}
	for len(list) > 0 && !whole {
		var next string
		select {
		case next = <-last:
		case <-ctx.Done():
			return group.Wait()
		}
		if next == "" {
			break
		}
		if chain.has(next) {
			return errors.Join(&anomaly{fmt.Errorf("read results of bulk job %s: page %q comes twice: the results are damaged, a new job is needed", job.ID, next), NextNewJob}, group.Wait())
		}
		read(count, c.resultPath(job, next), last)
		count++
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return chain.check(job.ID, count)
}

// pageList returns the paths of the first pages from locator on, up to five, and whether they are all.
func (c *Client) pageList(ctx context.Context, job Job, locator string) (paths []string, whole bool, err error) {
	values := url.Values{}
	if locator != "" {
		values.Set("locator", locator)
	}
	var out struct {
		ResultPages []struct {
			ResultURL string `json:"resultUrl"`
		}
		Done bool
	}
	path := withQuery(job.path(c)+"/resultPages", values)
	err = c.fetchJSON(ctx, call{kind: "result_pages", op: "list result pages of bulk job " + job.ID, path: path}, &out)
	if err != nil {
		return nil, false, jobGone(job, err)
	}
	for _, p := range out.ResultPages {
		paths = append(paths, p.ResultURL)
	}
	if len(paths) == 0 && !out.Done {
		return nil, false, &anomaly{fmt.Errorf("list result pages of bulk job %s: Salesforce says that there are more and not where: list them again", job.ID), NextRetry}
	}
	return paths, out.Done, nil
}

func locatorOf(path string) string {
	u, err := url.Parse(path)
	if err != nil {
		return ""
	}
	return u.Query().Get("locator")
}
