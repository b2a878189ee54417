package approval

import (
	"context"
	"crypto/subtle"
	"html/template"
	"net/http"
	"net/url"
)

// answerPage is what the browser shows at the end. Nothing in it is loaded from anywhere, and what Salesforce said is text.
var answerPage = template.Must(template.New("answer").Parse(`<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}} – Crosswalk</title>
<style>:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:40rem;margin:2.5rem auto;padding:0 1rem}h1{font-size:1.4rem}a{color:inherit}</style></head>
<body><h1>{{.Title}}</h1><p>{{.Text}}</p>{{if .Home}}<p><a href="{{.Home}}">Back to the console</a></p>{{end}}</body>
</html>
`))

// outcome is what a person reads of an attempt; Home is the address of the console, empty where there is none.
type outcome struct {
	status            int
	Title, Text, Home string
}

// show answers with an outcome. The page may load nothing, be framed nowhere and be kept by nobody; its style is its own.
func show(w http.ResponseWriter, o outcome) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer") // the address holds the code
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(o.status)
	_ = answerPage.Execute(w, o) // the browser may be gone
}

// judged is what a person reads after Take.
func judged(final bool, err error, connected string) outcome {
	switch {
	case err == nil:
		return outcome{status: http.StatusOK, Title: "Connected", Text: connected}
	case final:
		return outcome{status: http.StatusBadRequest, Title: "Not connected", Text: err.Error()}
	}
	return outcome{status: http.StatusBadRequest, Title: "Not connected yet", Text: err.Error()}
}

// Page serves the callback of this one attempt at path. It answers when the attempt is decided, so that the browser shows what
// became of it. The state alone binds the answer to the attempt: the person may open the printed address in any browser.
func (t *Attempt) Page(ctx context.Context, path string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != path:
			show(w, outcome{status: http.StatusNotFound, Title: "Nothing here", Text: "The approval of Salesforce comes back to another address."})
		case r.Method != http.MethodGet:
			show(w, outcome{status: http.StatusMethodNotAllowed, Title: "Nothing here", Text: "This address takes the approval of Salesforce from a browser only."})
		case foreign(r.URL.Query(), t.login.State):
			show(w, outcome{
				status: http.StatusBadRequest, Title: "Not connected",
				Text: "This answer belongs to another attempt. Use the address that the running crosswalk connect printed.",
			})
		default:
			final, err := t.Take(ctx, "?"+r.URL.RawQuery)
			show(w, judged(final, err, "Crosswalk may now read this org. You can close this page."))
		}
	})
}

// foreign reports a refusal that names another attempt: any page in the browser could send one to end this attempt.
func foreign(q url.Values, state string) bool {
	return q.Has("error") && q.Has("state") && subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(state)) != 1
}
