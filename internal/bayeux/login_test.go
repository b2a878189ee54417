package bayeux_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"crosswalk/internal/bayeux"
	"crosswalk/internal/retry"
)

// rememberRefused is org's token source that notes the tokens which it is told of as refused.
func rememberRefused(org *fakeOrg, refused *[]string) func(context.Context, string) (string, error) {
	var mu sync.Mutex
	return func(ctx context.Context, rejected string) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if rejected != "" {
			*refused = append(*refused, rejected)
		}
		return org.token(ctx, rejected)
	}
}

func TestRevokedTokenIsReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		var refused []string
		client := org.client(func(c *bayeux.Config) { c.Token = rememberRefused(org, &refused) })
		r := f.start(t, client, accounts)
		settle()
		for id := range int64(10) { // many more than may be refused in a row
			org.revoke()
			settle()
			time.Sleep(time.Minute)
			org.publish(accounts, id+1)
			settle()
		}
		r.end()
		if got := f.events(accounts); len(got) != 10 {
			t.Errorf("got %v, want ten events", got)
		}
		if len(refused) != 10 || refused[0] != "token-1" || refused[9] != "token-10" {
			t.Errorf("fresh tokens were asked for instead of %v, want token-1 to token-10", refused)
		}
	})
}

func TestFreshTokensThatAreRefusedEndRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		asked := 0
		client := org.client(func(c *bayeux.Config) {
			c.Token = func(context.Context, string) (string, error) {
				asked++
				return fmt.Sprintf("wrong-%d", asked), nil
			}
		})
		r := f.start(t, client, accounts)
		err := <-r.done
		r.done <- err
		r.endsWith(&bayeux.AuthError{}, "log in to http://org.example/cometd/66.0: 5 access tokens were refused one after the other "+
			"(403::Handshake denied (401::Authentication invalid)): check that the user may use the API")
		if asked != 5 || strings.Contains(err.Error(), "wrong-") {
			t.Errorf("asked for %d tokens, want 5; the sentence must not hold one: %v", asked, err)
		}
	})
}

func TestTokenSourceThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		failed := errors.New("invalid_grant: expired access/refresh token")
		calls := 0
		var heard listener
		client := org.client(heard.listen, func(c *bayeux.Config) {
			c.Token = func(context.Context, string) (string, error) {
				if calls++; calls > 1 {
					return "", retry.Final(failed)
				}
				return "", retry.After(failed, 7*time.Second)
			}
		})
		r := f.start(t, client, accounts)
		settle()
		if !slices.Equal(heard.causes(), []bayeux.Cause{bayeux.CauseLogin}) || heard.waits()[0] != 7*time.Second {
			t.Errorf("heard of %v and waits of %v, want a failed login and 7s", heard.causes(), heard.waits())
		}
		time.Sleep(7 * time.Second)
		settle()
		r.endsWith(&bayeux.AuthError{}, "get an access token for http://org.example/cometd/66.0: invalid_grant")
		if len(org.requests()) > 0 {
			t.Errorf("the server saw %v without a token", org.requests())
		}
	})
}

func TestTokenSourceThatGivesNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		client := org.client(func(c *bayeux.Config) {
			c.Token = func(context.Context, string) (string, error) { return "", nil }
		})
		r := f.start(t, client, accounts)
		settle()
		r.endsWith(&bayeux.AuthError{}, "the token source returned an empty one")
	})
}

func TestServerWithoutReplayEndsRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		org.arrange = func(_ http.ResponseWriter, a ask, reply []any) []any {
			if a.Channel == onHandshake {
				delete(reply[0].(object), "ext")
			}
			return reply
		}
		r := f.start(t, org.client(), accounts)
		settle()
		r.endsWith(bayeux.ErrNoReplay, "the server does not offer the replay extension")
	})
}

// A cookie jar is thrown away with the session of another user, and all cookies are returned until then.
func TestCookies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		var cookies []string
		org.answer = once(onConnect, 2, func(w http.ResponseWriter, a ask) {
			org.send(w, []any{a.bad("400::Authenticated user id does not match the session's user id", nil)})
		})
		org.arrange = func(w http.ResponseWriter, a ask, reply []any) []any {
			if a.Channel == onHandshake {
				w.Header().Add("Set-Cookie", "BrowserId=abc; domain=.elsewhere.example; path=/other; secure")
				w.Header().Add("Set-Cookie", "Short=1; Max-Age=60")
				w.Header().Add("Set-Cookie", "Gone=1; Max-Age=0")
			}
			return reply
		}
		client := org.client(func(c *bayeux.Config) {
			next := c.HTTP.Transport
			c.HTTP.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
				cookies = append(cookies, r.Header.Get("Cookie"))
				return next.RoundTrip(r)
			})
		})
		r := f.start(t, client, accounts)
		settle()
		time.Sleep(2 * time.Minute)
		settle()
		r.end()
		const one, two = "BrowserId=abc; Short=1; sfdc-stream=!node-1=", "BrowserId=abc; Short=1; sfdc-stream=!node-2="
		const later = "BrowserId=abc; sfdc-stream=!node-2="
		want := []string{"", one, one, one, "", two, two, two, later, later, later}
		if !slices.Equal(cookies, want) {
			t.Errorf("cookies by request: %q, want %q", cookies, want)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
