package sfapi

import (
	"fmt"
	"sync"
)

// pageChain remembers, for pages read in parallel, where each says that the next one is: the list of pages and the
// pages themselves must agree, or a page is missing.
type pageChain struct {
	mu    sync.Mutex
	links map[int]pageLink
}

type pageLink struct{ at, next string }

func (c *pageChain) add(index int, at, next string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.links == nil {
		c.links = make(map[int]pageLink)
	}
	c.links[index] = pageLink{at, next}
}

// has reports whether a page at that locator was read already.
func (c *pageChain) has(at string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.links {
		if l.at == at {
			return true
		}
	}
	return false
}

func (c *pageChain) check(jobID string, pages int) error {
	for i := range pages {
		want := "" // the last page's next
		if i+1 < pages {
			want = c.links[i+1].at
		}
		if got := c.links[i].next; got != want {
			return &anomaly{fmt.Errorf("read results of bulk job %s: page %d is followed by %q in the results and by %q in the list of pages: a page is missing, read them one after the other", jobID, i+1, got, want), NextRetry}
		}
	}
	return nil
}
