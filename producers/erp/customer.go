package erp

import (
	"crypto/sha256"

	"crosswalk/internal/avro"
)

// key is the record key of erp.customer: company/number, or number alone. A company contains no slash.
func key(c *avro.Customer) string {
	if c.Company == "" {
		return c.Number
	}
	return c.Company + "/" + c.Number
}

// digest identifies an encoded customer without its schema id and version, so that an unchanged one is not published again.
type digest = [sha256.Size]byte
