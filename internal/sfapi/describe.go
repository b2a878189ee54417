package sfapi

import (
	"context"
	"net/url"
)

// Describe is what Salesforce says about one object, as far as this program uses it (facts 2.5). Fields that the user
// may not read are not in it.
type Describe struct {
	Name          string
	Label         string
	KeyPrefix     string
	Custom        bool
	Queryable     bool
	Retrieveable  bool // spelt as Salesforce does
	Replicateable bool // Updated and Deleted work
	Undeletable   bool
	Fields        []DescribedField
}

// DescribedField is one field of a Describe.
type DescribedField struct {
	Name              string
	Label             string
	Type              string // string, currency, address, …
	SoapType          string // xsd:double, urn:address, …
	CompoundFieldName string // the compound that this is a component of; empty elsewhere
	Calculated        bool   // formula or roll-up
	AutoNumber        bool
	Custom            bool
	ExternalID        bool `json:"externalId"`
	IDLookup          bool `json:"idLookup"`
	Nillable          bool
	Unique            bool
	Length            int
	Precision         int
	Scale             int
	Digits            int
	ReferenceTo       []string
}

// Field returns the named field, or false when there is none that the user may read.
func (d *Describe) Field(name string) (DescribedField, bool) {
	for _, f := range d.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return DescribedField{}, false
}

// Describe asks for one object. An object that the user may not read is an *Error with NextGone.
func (c *Client) Describe(ctx context.Context, object string) (*Describe, error) {
	var d Describe
	err := c.fetchJSON(ctx, call{
		kind: "describe", op: "describe " + object, path: c.base() + "/sobjects/" + url.PathEscape(object) + "/describe",
	}, &d)
	if err != nil {
		return nil, err
	}
	return &d, nil
}

// ObjectInfo is one line of the list of objects.
type ObjectInfo struct {
	Name          string
	Label         string
	KeyPrefix     string
	Queryable     bool
	Replicateable bool
}

// Objects lists the objects that the user may see.
func (c *Client) Objects(ctx context.Context) ([]ObjectInfo, error) {
	var out struct{ SObjects []ObjectInfo }
	err := c.fetchJSON(ctx, call{kind: "describe", op: "list objects", path: c.base() + "/sobjects/"}, &out)
	return out.SObjects, err
}
