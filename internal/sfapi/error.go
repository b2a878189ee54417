package sfapi

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Error is an answer of Salesforce's that is not a success.
type Error struct {
	Op         string   // what was asked: "describe Account", "create bulk job for Account"
	Host       string   // which host answered
	Status     int      // HTTP status
	Code       string   // errorCode, such as REQUEST_LIMIT_EXCEEDED; empty when the body was not Salesforce's JSON
	Message    string   // the first message, as sent (query errors span several lines)
	Fields     []string // fields that the message is about, when the answer names them
	RetryAfter time.Duration
}

// Error is one sentence: what was asked, what was answered, what it means and what to do.
func (e *Error) Error() string {
	said := strings.Join(strings.Fields(e.Message), " ")
	switch {
	case e.Code != "" && said != "" && e.Code != said:
		said = e.Code + ": " + said
	case said == "":
		said = e.Code
	}
	if said == "" {
		said = "no explanation"
	}
	status := strings.TrimSpace(fmt.Sprint(e.Status, " ", http.StatusText(e.Status))) // 420 has no name
	return fmt.Sprintf("%s: %s answered %s (%s): %s", e.Op, e.Host, status, said, e.Hint())
}

// Hint says what the answer means and what a person can do about it.
func (e *Error) Hint() string { return e.diagnosis().hint }

// Next says what the program should do.
func (e *Error) Next() Next { return e.diagnosis().next }

// Retryable reports whether the same call may succeed a little later.
func (e *Error) Retryable() bool { return e.Next() == NextRetry }

func (e *Error) diagnosis() diagnosis {
	for _, d := range diagnoses {
		if (d.status == 0 || d.status == e.Status) && (d.code == "" || d.code == e.Code) && strings.Contains(e.Message, d.text) {
			return d
		}
	}
	switch {
	case e.Status >= 500 || e.Status == http.StatusTooManyRequests:
		return diagnosis{next: NextRetry, hint: "Salesforce could not answer just now (status.salesforce.com); this passes by itself"}
	case e.Status >= 300 && e.Status < 400:
		return diagnosis{next: NextStop, hint: "the host sends elsewhere, so it is not where the org's data is: correct instance_url or login_url (Setup > My Domain shows the name)"}
	case e.Code == "":
		return diagnosis{next: NextStop, hint: "the answer is not Salesforce's: check the address and any proxy on the way"}
	}
	return diagnosis{next: NextStop, hint: "Salesforce does not take the request as it is; the text above is its own, and if it names nothing to mend, report this line"}
}
