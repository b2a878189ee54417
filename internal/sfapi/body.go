package sfapi

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"unicode/utf8"
)

// answer is what an error body says, whatever form it came in.
type answer struct {
	code, message string
	fields        []string
}

// maxMessage bounds the text that is taken out of an error body, in bytes.
const maxMessage = 2000

// parseError reads every form in which Salesforce says no: the array of REST (facts 2.2), the object of OAuth (1.3),
// form-encoded text (1.2, 1.9), an HTML page of the edge, bare text such as Bad_OAuth_Token, nothing.
func parseError(body []byte) answer {
	trimmed := bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	if a, ok := parseErrorJSON(trimmed); ok {
		return a
	}
	text := string(trimmed)
	if bytes.HasPrefix(trimmed, []byte("<")) { // Content-Type is of no use: the edge also calls bare text HTML
		return answer{message: clip(htmlTitle(text))}
	}
	if a, ok := parseErrorForm(text); ok {
		return a
	}
	if text != "" && !strings.ContainsAny(text, " \n") && strings.Contains(text, "_") {
		return answer{code: clip(text), message: clip(text)}
	}
	return answer{message: clip(text)}
}

type errorMember struct {
	Message          string   `json:"message"`
	ErrorCode        string   `json:"errorCode"`
	Fields           []string `json:"fields"`
	OAuthError       string   `json:"error"`
	Description      string   `json:"error_description"`
	ExceptionCode    string   `json:"exceptionCode"` // Bulk's older spelling
	ExceptionMessage string   `json:"exceptionMessage"`
}

func parseErrorJSON(body []byte) (answer, bool) {
	var list []errorMember
	if len(body) > 0 && body[0] == '{' {
		body = append(append([]byte{'['}, body...), ']')
	}
	if json.Unmarshal(body, &list) != nil || len(list) == 0 {
		return answer{}, false
	}
	m := list[0]
	a := answer{
		code:    clip(m.ErrorCode + m.OAuthError + m.ExceptionCode),
		message: clip(m.Message + m.Description + m.ExceptionMessage),
		fields:  m.Fields,
	}
	return a, a.code != "" || a.message != ""
}

// parseErrorForm reads error=…&error_description=…, as the authorize and revoke endpoints write it.
func parseErrorForm(text string) (answer, bool) {
	values, err := url.ParseQuery(text)
	if err != nil || values.Get("error") == "" {
		return answer{}, false
	}
	return answer{code: clip(values.Get("error")), message: clip(values.Get("error_description"))}, true
}

func htmlTitle(page string) string {
	low := strings.ToLower(page)
	if len(low) != len(page) { // a page whose case mapping changes its length is not cut by these positions
		return "an HTML page"
	}
	_, rest, found := strings.Cut(low, "<title>")
	if !found {
		return "an HTML page"
	}
	start := len(page) - len(rest)
	end := strings.Index(rest, "</title>")
	if end < 0 {
		return "an HTML page"
	}
	return "an HTML page titled " + strings.TrimSpace(page[start:start+end])
}

func clip(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) <= maxMessage {
		return s
	}
	cut := maxMessage
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
