package cometd

import "strings"

// The error texts of facts 4.5 that this server raises by itself or by a ready-made fault; any other can be raised by a Fault.
const (
	errAuthInvalid     = "401::Authentication invalid"
	errAuthMissing     = "401::Request requires authentication"
	errDenied          = "403::Handshake denied"
	errUnknownClient   = "403::Unknown client"
	errNoHandshake     = "403::Client has not completed handshake"
	errPermission      = "403::User not allowed to subscribe CDC without required permissions"
	errPermissionOld   = "403::User not allowed to subscribe CDC without View All Data permissions"
	errNotStreaming    = "403::User not enabled for streaming"
	errCreateDenied    = "403:denied_by_security_policy:create_denied"
	errRestricted      = "403::Restricted channel"
	errNoChannel       = "400::Channel name not specified"
	errNoSlash         = "400::Channel subscriptions must start with a leading '/'"
	errTooMany         = "403::Subscription limit exceeded for this topic"
	errClientLimit     = "403::Organization concurrent user limit exceeded"
	errDeliveryLimit   = "403::Organization total events daily limit exceeded"
	errOtherUser       = "400::Authenticated user id does not match the session's user id"
	errVersionMissing  = "400::API version in the URI is mandatory. URI format: '/cometd/66.0'"
	errVersionOld      = "400::Unsupported API version. Only API versions '37.0' and later are supported. URI format: '/cometd/66.0'"
	errBusy            = "503::Server is too busy.  Please try your request again later."
	errConnectionLimit = "403::To protect all customers from excessive use and Denial of Service attacks, we limit the number of simultaneous connections per server. Your request has been denied because this limit has been exceeded. Please try your request again later."
	errUnknownMeta     = "404::Unknown meta channel"
	errPublish         = "403::Publish denied"
)

func errReplayInvalid(id string) string {
	return "400::The replayId {" + clip(id) + "} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events."
}

func errChannelMissing(channel string) string {
	return "400::The channel you requested to subscribe to does not exist {" + clip(channel) + "}"
}

func errCannotCreate(channel string) string {
	return "403::Cannot create channel {" + clip(channel) + "}"
}

func errConnectionType(name string) string {
	return "400::Invalid connection type {" + clip(name) + "}"
}

func errCookie(client, cookie string) string {
	return "400::Client " + client + " has established a session, but no " + cookie + " cookie present"
}

// errRoot is the refusal of a channel that is no change event channel, by its first path segment.
func errRoot(channel string) string {
	switch root, _, _ := strings.Cut(channel[1:], "/"); root {
	case "data", "topic", "event":
		return errChannelMissing(channel)
	case "u":
		return errCreateDenied
	case "meta", "service", "*", "**":
		return errRestricted
	}
	return errCannotCreate(channel)
}

const (
	htmlType         = "text/html;charset=UTF-8"
	unauthorizedPage = "<html><head><title>Unauthorized</title></head><body>HTTP ERROR 401</body></html>"
)
