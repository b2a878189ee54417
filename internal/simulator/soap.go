package simulator

import (
	"encoding/xml"
	"html"
	"io"
	"net/http"
	"strings"
)

// soapBody is what the SOAP endpoint understands: login and logout, which clients use who know no OAuth.
type soapBody struct {
	XMLName xml.Name `xml:"Envelope"`
	Header  struct {
		Session string `xml:"SessionHeader>sessionId"`
	} `xml:"Header"`
	Body struct {
		Login *struct {
			Username string `xml:"username"`
			Password string `xml:"password"`
		} `xml:"login"`
		Logout *struct{} `xml:"logout"`
	} `xml:"Body"`
}

const (
	soapOpen = `<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" ` +
		`xmlns="urn:partner.soap.sforce.com" xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>`
	soapClose = `</soapenv:Body></soapenv:Envelope>`
)

// soap serves login() and logout() of the partner and enterprise APIs; nothing else of SOAP is there.
func (c *call) soap() {
	var in soapBody
	if err := xml.NewDecoder(io.LimitReader(c.r.Body, maxForm)).Decode(&in); err != nil {
		c.soapFault("INVALID_SOAP_HEADER", "the envelope cannot be read")
		return
	}
	switch {
	case in.Body.Login != nil:
		c.soapLogin(in.Body.Login.Username, in.Body.Login.Password)
	case in.Body.Logout != nil:
		c.s.tokens.end(in.Header.Session)
		c.soapWrite(http.StatusOK, "<logoutResponse/>")
	default:
		c.unsupported("SOAP calls other than login and logout")
	}
}

func (t *tokens) end(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x := t.sessions[token]; x != nil {
		x.revoked = true
	}
}

func (c *call) soapLogin(username, password string) {
	s, p := c.s, c.s.profile.Load()
	right := password == s.config.Password+s.config.SecurityToken || password == s.config.Password && p.TrustedIP
	switch {
	case p.OrgLocked:
		c.soapFault("ORG_LOCKED", "organization suspended or deleted")
	case p.Inactive || !right || !strings.EqualFold(username, s.config.Org.Username):
		c.soapFault("INVALID_LOGIN", "Invalid username, password, security token; or user locked out.")
	case p.NoAPI || p.NoAPIEdition:
		c.soapFault("API_CURRENTLY_DISABLED", "API is disabled for this User")
	default:
		c.soapGranted(c.sessionOf("api").AccessToken, p.Expired)
	}
}

func (c *call) soapGranted(token string, expired bool) {
	get := c.s.person()
	var out strings.Builder
	put := func(name, text string) {
		out.WriteString("<" + name + ">" + html.EscapeString(text) + "</" + name + ">")
	}
	server := c.instanceURL() + strings.TrimSuffix(c.r.URL.Path, "/") + "/" + c.s.org.ID()[:15]
	out.WriteString("<loginResponse><result>")
	put("metadataServerUrl", strings.NewReplacer("/u/", "/m/", "/c/", "/m/").Replace(server))
	put("passwordExpired", map[bool]string{true: "true", false: "false"}[expired])
	put("sandbox", "false")
	put("serverUrl", server)
	put("sessionId", token)
	put("userId", c.s.org.User())
	out.WriteString("<userInfo>")
	put("organizationId", c.s.org.ID())
	put("organizationName", "Crosswalk Simulator")
	put("sessionSecondsValid", "7200")
	put("userEmail", get("Email"))
	put("userFullName", get("Name"))
	put("userId", c.s.org.User())
	put("userName", get("Username"))
	put("userType", "Standard")
	out.WriteString("</userInfo></result></loginResponse>")
	c.soapWrite(http.StatusOK, out.String())
}

func (c *call) soapFault(code, text string) {
	c.soapWrite(http.StatusInternalServerError, "<soapenv:Fault><faultcode>sf:"+code+"</faultcode><faultstring>"+code+": "+text+
		`</faultstring><detail><sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>`+code+"</sf:exceptionCode><sf:exceptionMessage>"+text+
		"</sf:exceptionMessage></sf:LoginFault></detail></soapenv:Fault>")
}

func (c *call) soapWrite(status int, body string) {
	c.w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	c.w.WriteHeader(status)
	_, _ = io.WriteString(c.w, soapOpen+body+soapClose) // the client may be gone
}
