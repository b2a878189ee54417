package bayeux

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// cookies is the jar of one client. It knows one address only, so it returns every cookie that it was given,
// whatever its domain, path or Secure says: a server that misses one refuses the session (facts 4.1, 4.5). The
// standard library's jar would withhold the load balancer's Secure cookie from a server on plain HTTP.
type cookies struct {
	mu   sync.Mutex
	kept map[string]cookie
}

type cookie struct {
	value   string
	quoted  bool
	expires time.Time // zero: never
}

func newCookies() *cookies {
	return &cookies{kept: map[string]cookie{}}
}

// SetCookies implements http.CookieJar.
func (c *cookies) SetCookies(_ *url.URL, set []*http.Cookie) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range set {
		kept := cookie{value: s.Value, quoted: s.Quoted, expires: s.Expires}
		switch {
		case s.MaxAge < 0:
			delete(c.kept, s.Name)
			continue
		case s.MaxAge > 0:
			kept.expires = time.Now().Add(time.Duration(s.MaxAge) * time.Second)
		}
		c.kept[s.Name] = kept
	}
}

// Cookies implements http.CookieJar.
func (c *cookies) Cookies(*url.URL) []*http.Cookie {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	var all []*http.Cookie
	for name, kept := range c.kept {
		if !kept.expires.IsZero() && !kept.expires.After(now) {
			delete(c.kept, name)
			continue
		}
		all = append(all, &http.Cookie{Name: name, Value: kept.value, Quoted: kept.quoted})
	}
	slices.SortFunc(all, func(a, b *http.Cookie) int { return strings.Compare(a.Name, b.Name) })
	return all
}
