package topic

import (
	"net/url"
	"strconv"
	"time"
)

// Stamp returns the version and the CloudEvents headers of a record whose key nobody counts for: a position, an audit event, a request,
// a dead letter. rev is the moment in epoch milliseconds, and greater than that of any other stamp of the client, so that
// the later record of a key has the greater version. kind ends ce_type: crosswalk.audit.opened. component is whose record it is.
func (c *Client) Stamp(epoch int64, org, component, kind, key string) []Header {
	now := time.Now()
	rev := now.UnixMilli()
	for {
		last := c.stamps.Load()
		rev = max(rev, last+1)
		if c.stamps.CompareAndSwap(last, rev) {
			break
		}
	}
	version := strconv.FormatInt(epoch, 10) + "-" + strconv.FormatInt(rev, 10)
	h := func(name, value string) Header { return Header{Key: name, Value: []byte(value)} }
	return []Header{
		h("epoch", strconv.FormatInt(epoch, 10)), h("rev", strconv.FormatInt(rev, 10)), h("ce_specversion", "1.0"),
		h("ce_id", url.PathEscape(key)+"-"+version), h("ce_type", "crosswalk."+kind),
		h("ce_source", "/crosswalk/"+url.PathEscape(OrgName(org))+"/"+component),
		h("ce_time", now.UTC().Format("2006-01-02T15:04:05.000Z")), h("ce_subject", key),
	}
}
