package sfapi

import "context"

// Identity is whom a token acts for (facts 1.9).
type Identity struct {
	UserID   string `json:"user_id"`         // 18 characters
	OrgID    string `json:"organization_id"` // 18 characters
	Username string `json:"preferred_username"`
	Name     string `json:"name"` // as people write it
}

// Identity asks whom the token acts for. It costs no API call and needs one of the scopes id, api, openid and full.
func (c *Client) Identity(ctx context.Context) (Identity, error) {
	var who Identity
	err := c.fetchJSON(ctx, call{kind: "identity", op: "ask whom the token is for", path: "/services/oauth2/userinfo"}, &who)
	return who, err
}
