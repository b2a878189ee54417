package sfapi

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"strings"
)

// NetworkError is a call that got no whole answer: the host was not reached, or the reply broke off.
type NetworkError struct {
	Op   string // what was asked
	Host string // whom
	Err  error
}

// Error is one sentence with what to do.
func (e *NetworkError) Error() string {
	return e.Op + ": no answer from " + e.Host + ": " + e.Err.Error() + ": " + e.Hint()
}

// Unwrap returns the cause.
func (e *NetworkError) Unwrap() error { return e.Err }

// Next is NextRetry: networks come back.
func (e *NetworkError) Next() Next { return NextRetry }

// Hint says what a person can check.
func (e *NetworkError) Hint() string {
	var dns *net.DNSError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var record tls.RecordHeaderError
	switch {
	case errors.As(e.Err, &dns) && dns.IsNotFound, strings.Contains(e.Err.Error(), "no such host"): // x/oauth2 keeps only the text of some
		return "there is no such host; check login_url and instance_url (Setup > My Domain shows the name)"
	case errors.As(e.Err, &unknown):
		return "its certificate is not trusted here; if a proxy of yours opens the connection, add that proxy's certificate to the system's"
	case errors.As(e.Err, &name), errors.As(e.Err, &record):
		return "another server answers under this name; check the address and any proxy on the way"
	}
	return "check the network, and HTTPS_PROXY if a proxy is needed"
}

// noAnswer makes a NetworkError without the address that net/http puts into its errors: a query may hold what a log
// should not.
func noAnswer(op, host string, err error) *NetworkError {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return &NetworkError{Op: op, Host: host, Err: err}
}
