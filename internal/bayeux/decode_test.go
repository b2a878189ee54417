package bayeux

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

var received = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

func TestDecodeReply(t *testing.T) {
	t.Parallel()
	event := func(channel string, id int64, schema, data string) Message {
		return Message{Channel: channel, ReplayID: id, Schema: schema, Data: json.RawMessage(data), Received: received}
	}
	for name, test := range map[string]struct {
		body   string
		events []Message
		metas  []metaReply
	}{
		"change event": {
			body: `[{"channel":"/data/ChangeEvents","data":{"schema":"V2MGwDA2aIP0yQS98S2L6Q","payload":{"ChangeEventHeader":{"entityName":"Contact",` +
				`"recordIds":["003Qk00000cOnTaIAK"]},"Phone":null,"Name":{"LastName":"Jones"}},"event":{"replayId":37904280}}},` +
				`{"clientId":"5f1t","channel":"/meta/connect","id":"4","successful":true}]`,
			events: []Message{event("/data/ChangeEvents", 37904280, "V2MGwDA2aIP0yQS98S2L6Q", `{"ChangeEventHeader":{"entityName":"Contact",`+
				`"recordIds":["003Qk00000cOnTaIAK"]},"Phone":null,"Name":{"LastName":"Jones"}}`)},
			metas: []metaReply{{channel: "/meta/connect", id: "4", clientID: "5f1t", successful: true, advice: noAdvice}},
		},
		"handshake": {
			body: ` [ {"ext":{"replay":true,"payload.format":true},"minimumVersion":"1.0","clientId":"5f1t","supportedConnectionTypes":["long-polling"],` +
				`"channel":"/meta/handshake","id":"1","version":"1.0","successful":true} ] `,
			metas: []metaReply{{channel: "/meta/handshake", id: "1", clientID: "5f1t", successful: true, replay: true, advice: noAdvice}},
		},
		"refused handshake": {
			body: `[{"ext":{"sfdc":{"failureReason":"401::Authentication invalid","x":[1]},"replay":true},"advice":{"reconnect":"none"},` +
				`"channel":"/meta/handshake","id":"2","error":"403::Handshake denied","successful":false}]`,
			metas: []metaReply{{
				channel: "/meta/handshake", id: "2", err: "403::Handshake denied", reason: "401::Authentication invalid", replay: true,
				advice: advice{"none", -1, -1},
			}},
		},
		"advice": {
			body: `{"channel":"/meta/connect","id":7,"successful":true,"advice":{"interval":0,"timeout":110000,"reconnect":"retry","multiple-clients":true}}`,
			metas: []metaReply{{
				channel: "/meta/connect", id: "7", successful: true, advice: advice{"retry", 0, 110 * time.Second},
			}},
		},
		"advice that makes no sense": {
			body:  `{"channel":"/meta/connect","advice":{"interval":-5,"timeout":1e99,"reconnect":4}}`,
			metas: []metaReply{{channel: "/meta/connect", advice: noAdvice}},
		},
		"keys in another order, escapes, spaces": {
			body:   "[\n{\"data\" : {\"event\":{\"x\":{},\"replayId\":\"12\"}, \"payload\" : [1, 2.5e-3] ,\"schema\":null}, \"ch\\u0061nnel\":\"\\/data\\u002fX\" , \"clientId\":\"5f1t\"}\t]",
			events: []Message{event("/data/X", 12, "", "[1, 2.5e-3]")},
		},
		"no payload":                  {body: `{"channel":"/topic/T","data":{"event":{"replayId":5.0},"sobject":{"Id":"1"}}}`, events: []Message{event("/topic/T", 5, "", `{"event":{"replayId":5.0},"sobject":{"Id":"1"}}`)}},
		"data that is text":           {body: `{"channel":"/chat","data":"hello"}`, events: []Message{event("/chat", 0, "", `"hello"`)}},
		"no data":                     {body: `[{"channel":"/chat","successful":true},{"channel":"/chat","data":null},{"data":{}},{},5,"x",null,[{}]]`},
		"replay ids beyond 53 bits":   {body: `{"channel":"/x","data":{"payload":1,"event":{"replayId":9223372036854775807}}}`, events: []Message{event("/x", math.MaxInt64, "", "1")}},
		"replay id that is no number": {body: `{"channel":"/x","data":{"payload":1,"event":{"replayId":{}}}}`, events: []Message{event("/x", 0, "", "1")}},
		"event that is no object":     {body: `{"channel":"/x","data":{"payload":1,"event":7}}`, events: []Message{event("/x", 0, "", "1")}},
		"wrong types": {
			body:  `{"channel":"/meta/connect","ext":[],"advice":"retry","successful":"true","error":null,"clientId":5,"id":null}`,
			metas: []metaReply{{channel: "/meta/connect", advice: noAdvice}},
		},
		"sfdc that is no object": {body: `{"channel":"/meta/connect","ext":{"sfdc":1}}`, metas: []metaReply{{channel: "/meta/connect", advice: noAdvice}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := decodeReply([]byte(test.body), received)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.events, test.events) || !reflect.DeepEqual(got.metas, test.metas) || got.size != len(test.body) {
				t.Errorf("got  %+v\n     %+v\nwant %+v\n     %+v", got.events, got.metas, test.events, test.metas)
			}
		})
	}
}

func TestDecodeReplyRefuses(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"":                                     "the body is empty",
		" \n":                                  "the body is empty",
		"<html>":                               "the JSON has '<' at byte 0 where an array of messages should be",
		"[{}] x":                               "the JSON has 'x' at byte 5 where the end should be",
		`[{"channel":"/x","data":{"payload":{`: "the JSON ends at byte 36 where a member name should be",
		`[{"a":1,}]`:                           "the JSON has '}' at byte 8 where a member name should be",
		`[{"a" 1}]`:                            "the JSON has '1' at byte 6 where a colon should be",
		`[{"a":1 "b":2}]`:                      "the JSON has '\"' at byte 8 where a comma or } should be",
		`[{} {}]`:                              "the JSON has '{' at byte 4 where a comma or ] should be",
		`[{"a":tru}]`:                          "the JSON has 't' at byte 6 where true should be",
		`[{"a":01}]`:                           "the JSON has '1' at byte 7 where a comma or } should be",
		`[{"a":-}]`:                            "the JSON has '}' at byte 7 where a digit should be",
		`[{"a":1.}]`:                           "the JSON has '}' at byte 8 where a digit should be",
		`[{"a":1e+}]`:                          "the JSON has '}' at byte 9 where a digit should be",
		`[{"a":"\x"}]`:                         "the JSON has 'x' at byte 8 where an escape should be",
		`[{"a":"\u12G4"}]`:                     "the JSON has 'G' at byte 11 where four hexadecimal digits should be",
		"[{\"a\":\"\n\"}]":                     "the JSON has '\\n' at byte 7 where an escape for a control character should be",
		`[{"a":"x`:                             "the JSON ends at byte 8 where the end of a string should be",
		`[{"a":"\`:                             "the JSON ends at byte 8 where an escape should be",
		`[{"a":}]`:                             "the JSON has '}' at byte 6 where a value should be",
		strings.Repeat("[", maxDepth+1):        "JSON nests too deeply",
	} {
		if _, err := decodeReply([]byte(body), received); err == nil || err.Error() != want {
			t.Errorf("%.40q: %v, want %s", body, err, want)
		}
	}
}

// FuzzDecodeReply holds the decoder against encoding/json: the same bodies are valid, and the same things are in them.
func FuzzDecodeReply(f *testing.F) {
	for _, seed := range []string{
		`[{"channel":"/data/ChangeEvents","data":{"schema":"V2","payload":{"a":[1,-2.5e+3,true,null,"é\n"]},"event":{"replayId":37904280}}}]`,
		`[{"ext":{"sfdc":{"failureReason":"401::x"},"replay":true},"advice":{"reconnect":"none","interval":5},"channel":"/meta/handshake","id":"2","error":"403","successful":false}]`,
		`{"channel":"/meta/connect","id":7,"successful":true}`, `[]`, `[{"a":1,"a":{}},5]`, "\"\\ud800\"", `<html>`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		reply, err := decodeReply(body, received)
		trimmed := bytes.TrimLeft(body, " \t\r\n")
		valid := json.Valid(body) && (trimmed[0] == '[' || trimmed[0] == '{')
		if (err == nil) != valid {
			t.Fatalf("decodeReply = %v, but valid is %v", err, valid)
		}
		if err == nil {
			compare(t, body, reply)
		}
	})
}

// compare finds the events of body with encoding/json and holds reply against them.
func compare(t *testing.T, body []byte, reply *reply) {
	t.Helper()
	var elements []json.RawMessage
	if json.Unmarshal(body, &elements) != nil {
		elements = []json.RawMessage{body}
	}
	events, metas := 0, 0
	for _, element := range elements {
		var members map[string]json.RawMessage
		if json.Unmarshal(element, &members) != nil || members == nil {
			continue
		}
		channel := text(members["channel"])
		switch data := members["data"]; {
		case channel == "":
		case strings.HasPrefix(channel, "/meta/"):
			if m := reply.metas[metas]; m.channel != channel || m.err != text(members["error"]) || m.clientID != text(members["clientId"]) {
				t.Fatalf("meta message %d is %+v, not %s", metas, m, element)
			}
			metas++
		case data != nil && string(data) != "null":
			var inner map[string]json.RawMessage
			if json.Unmarshal(data, &inner) == nil && inner["payload"] != nil {
				data = inner["payload"]
			}
			if e := reply.events[events]; e.Channel != channel || string(e.Data) != string(data) || e.Schema != text(inner["schema"]) {
				t.Fatalf("event %d is %s %s, not %s", events, e.Channel, e.Data, element)
			}
			events++
		}
	}
	if events != len(reply.events) || metas != len(reply.metas) {
		t.Fatalf("%d events and %d meta messages, want %d and %d", len(reply.events), len(reply.metas), events, metas)
	}
}

func text(raw json.RawMessage) (s string) {
	_ = json.Unmarshal(raw, &s) // what is no string is none
	return s
}

// BenchmarkDecodeReply decodes replies of 500 change events of about 1 kB, beside encoding/json doing the same.
func BenchmarkDecodeReply(b *testing.B) {
	body := benchmarkBody(500)
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		start := processTime()
		for b.Loop() {
			if reply, err := decodeReply(body, received); err != nil || len(reply.events) != 500 {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(processTime()-start)/float64(b.N*500), "cpu-ns/event")
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		start := processTime()
		for b.Loop() {
			var messages []struct {
				Channel string
				Data    struct {
					Schema  string
					Payload json.RawMessage
					Event   struct{ ReplayID int64 }
				}
			}
			if err := json.Unmarshal(body, &messages); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(processTime()-start)/float64(b.N*500), "cpu-ns/event")
	})
}

func benchmarkBody(events int) []byte {
	var body bytes.Buffer
	body.WriteByte('[')
	for i := range events {
		fmt.Fprintf(&body, `{"channel":"/data/ChangeEvents","data":{"schema":"V2MGwDA2aIP0yQS98S2L6Q","payload":{"ChangeEventHeader":{`+
			`"entityName":"Contact","recordIds":["003Qk00000cOnTaIAK"],"changeType":"UPDATE","changedFields":["Name.LastName","Phone"],`+
			`"changeOrigin":"com/salesforce/api/rest/66.0;client=my-app","transactionKey":"0001ae4b-7024-a64a-87f0-f2c8cebdca76",`+
			`"sequenceNumber":1,"commitTimestamp":1763700000000,"commitNumber":1082990428293,"commitUser":"005Qk000001UsErIAK"},`+
			`"LastModifiedDate":"2026-11-21T04:40:00.000Z","Phone":null,"Name":{"LastName":"Jones"},"Description":"%s"},`+
			`"event":{"replayId":%d}}},`, strings.Repeat("what was said to the customer, ", 12), 37904280+i)
	}
	body.WriteString(`{"clientId":"5f1t","channel":"/meta/connect","id":"4","successful":true}]`)
	return body.Bytes()
}
