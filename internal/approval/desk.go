package approval

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"crosswalk/internal/secret"
)

// beginPath is where an attempt begins: POST /connect/ORG.
const beginPath = "/connect/"

// maxAttempts is how many attempts are remembered; the oldest gives way. A person has one or two open.
const maxAttempts = 32

// exchangeTime bounds the redeeming of a code, its repetitions included. It outlasts the browser, which may go away meanwhile.
const exchangeTime = 2 * time.Minute

// Desk takes approvals in the console, for all its orgs. An answer counts only when its state is that of an attempt under way and
// the browser holds the cookie that this attempt gave it: nobody can finish, in another's browser, what he began in his own.
type Desk struct {
	guard http.CrossOriginProtection

	mu       sync.Mutex
	orgs     map[string]*Org
	attempts map[[sha256.Size]byte]*begun // by the hash of the state, so that the time of a look-up says nothing about it
}

// begun is an attempt that a browser began.
type begun struct {
	*Attempt
	org    *Org
	cookie secret.String // what the browser must bring
	at     time.Time
	told   sync.Once // its org knows what became of it
}

// NewDesk makes a Desk without orgs.
func NewDesk() *Desk {
	return &Desk{orgs: map[string]*Org{}, attempts: map[[sha256.Size]byte]*begun{}}
}

// Open makes the place of an org. The error is one sentence for the operator when its redirect URL is none.
func (d *Desk) Open(cfg OrgConfig) (*Org, error) {
	o, err := newOrg(cfg)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.orgs[cfg.Name] = o
	return o, nil
}

// First serves what is the desk's own, POST /connect/ORG and the callbacks of its orgs, and hands on the rest.
func (d *Desk) First(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+beginPath+"{org}", d.connect)
	mux.Handle("/", next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.takes(r) {
			d.callback(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// connect answers the console's button: it begins an attempt and sends the browser to Salesforce.
func (d *Desk) connect(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	o := d.orgs[r.PathValue("org")]
	d.mu.Unlock()
	switch {
	case d.guard.Check(r) != nil:
		refuse(w, http.StatusForbidden, "Another site asked for this. Go to the console and click Connect there.")
	case o == nil:
		refuse(w, http.StatusNotFound, "No org of this name is connected here: its login needs no approval, or another process runs it.")
	case !o.Status().Awaited:
		refuse(w, http.StatusConflict, "This org awaits no approval here: it is connected, or another process runs its task.")
	case o.local() && !Loopback(hostname(r)):
		// A name that leads here but is not this machine's (DNS rebinding), or another machine's browser, which the callback would not reach.
		refuse(w, http.StatusForbidden, "The approval comes back to "+o.origin()+", which is the machine that Crosswalk runs on: open the console there, or set orgs[].salesforce.auth.redirect_url to an address that this browser reaches.")
	case o.local() && hostname(r) != o.redirect.Hostname():
		// localhost and 127.0.0.1 are two to a browser, and the cookie must be given under the callback's name. The page goes there by
		// itself; it is no redirect, because browsers do not say of whom a POST is that was sent on to another name.
		show(w, outcome{
			status: http.StatusForbidden, Title: "Not connected", Text: "The approval comes back to " + o.origin() + ": open the console by that name and click Connect there.",
			Home: "http://" + withPort(o.redirect.Hostname(), r.Host) + "/",
		})
	default:
		d.begin(w, r, o)
	}
}

func (d *Desk) begin(w http.ResponseWriter, r *http.Request, o *Org) {
	attempt, err := New(o.cfg.Tokens)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	b := &begun{Attempt: attempt, org: o, cookie: secret.String(rand.Text()), at: time.Now()}
	d.remember(b)
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(b.login.State), Value: b.cookie.Reveal(), Path: "/", MaxAge: int(Life.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: o.redirect.Scheme == "https",
	})
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, b.URL(), http.StatusSeeOther)
}

// remember keeps an attempt; those that are too old go, and the oldest when there are too many.
func (d *Desk) remember(b *begun) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var oldest *begun
	for key, other := range d.attempts {
		if time.Since(other.at) > Life {
			delete(d.attempts, key)
		} else if oldest == nil || other.at.Before(oldest.at) {
			oldest = other
		}
	}
	if len(d.attempts) >= maxAttempts {
		delete(d.attempts, sha256.Sum256([]byte(oldest.login.State)))
	}
	d.attempts[sha256.Sum256([]byte(b.login.State))] = b
}

// takes reports whether a request is an answer of Salesforce's: it comes to the callback of an org and names a state. Everything
// else at that path is somebody else's.
func (d *Desk) takes(r *http.Request) bool {
	if q := r.URL.Query(); r.Method != http.MethodGet || !q.Has("state") || !q.Has("code") && !q.Has("error") {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range d.orgs {
		if o.redirect.Path == r.URL.Path {
			return true
		}
	}
	return false
}

// callback takes an answer. It replies when the attempt is decided, and then shows what became of it, however often it is asked.
func (d *Desk) callback(w http.ResponseWriter, r *http.Request) {
	state := r.URL.Query().Get("state")
	d.mu.Lock()
	b := d.attempts[sha256.Sum256([]byte(state))]
	d.mu.Unlock()
	switch {
	case b == nil || b.org.redirect.Path != r.URL.Path:
		refuse(w, http.StatusBadRequest, "This answer belongs to no attempt that is under way. Go to the console and click Connect.")
	case time.Since(b.at) > Life:
		refuse(w, http.StatusBadRequest, "This attempt has taken longer than 15 minutes. Go to the console and click Connect again.")
	case !b.holds(r):
		refuse(w, http.StatusForbidden, "This attempt was begun in another browser. Open the console at "+b.org.origin()+" in this one and click Connect there.")
	default:
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), exchangeTime)
		defer cancel()
		final, err := b.Take(ctx, "?"+r.URL.RawQuery)
		if final {
			b.told.Do(func() { b.org.concluded(err) })
		}
		out := judged(final, err, "Crosswalk may now read this org, and begins to.")
		out.Home = "/"
		show(w, out)
	}
}

// holds reports whether the browser brings the attempt's cookie.
func (b *begun) holds(r *http.Request) bool {
	c, err := r.Cookie(cookieName(b.login.State))
	return err == nil && subtle.ConstantTimeCompare([]byte(c.Value), []byte(b.cookie.Reveal())) == 1
}

// cookieName is one for each attempt, so that two tabs do not take each other's. It does not tell the state.
func cookieName(state string) string {
	sum := sha256.Sum256([]byte("cookie " + state))
	return "crosswalk_connect_" + hex.EncodeToString(sum[:8])
}

// hostname is the name by which the browser reached the console, without the port.
func hostname(r *http.Request) string { return (&url.URL{Host: r.Host}).Hostname() }

// withPort is a host with the port of another address.
func withPort(host, address string) string {
	if port := (&url.URL{Host: address}).Port(); port != "" {
		return net.JoinHostPort(host, port)
	}
	return host
}

func refuse(w http.ResponseWriter, status int, text string) {
	show(w, outcome{status: status, Title: "Not connected", Text: text, Home: "/"})
}
