// Package bayeux is a client of CometD/Bayeux long polling with Salesforce's replay extension (facts section 4).
//
// A Client's Run shakes hands, subscribes, and asks for events with /meta/connect until its context ends. What a
// reply brings goes to the caller's handler as one batch of Messages, in the order in which the server sent them.
// When a session is lost, for whatever reason, Run makes a new one and subscribes again from the position that
// Subscription.Replay answers at that moment: the last one that the caller made durable. The client itself has no
// position and never skips, so every event that the server still keeps reaches the handler at least once; after a
// lost session some come twice. DESIGN.md says how, and what was decided against.
//
//	body of a reply ── decode ──► events ── queue ──► handler
//	                         └──► meta replies ──► next request, new session, or the end of Run
//
// Only what nobody but the caller can decide ends Run: a refused position (*ReplayError), a refused channel
// (*SubscribeError), logins that fresh tokens do not mend (*AuthError), an address, API version or server that cannot
// be right (*AddressError, *VersionError, *HandshakeError), or the handler's own error.
//
// Metrics (made by NewMetrics; none has a label but cause, whose values are the constants of Cause):
//
//	crosswalk_bayeux_events_total            events handed over, duplicates included
//	crosswalk_bayeux_reply_bytes_total       bytes of replies, decompressed
//	crosswalk_bayeux_connects_total          /meta/connect requests that were answered well
//	crosswalk_bayeux_handshakes_total        sessions begun
//	crosswalk_bayeux_sessions_lost_total     sessions, or attempts at one, that ended, by cause
//	crosswalk_bayeux_subscriptions           channels that are subscribed to now
//	crosswalk_bayeux_buffered_bytes          bytes of replies that wait for the handler or are with it
//	crosswalk_bayeux_handle_seconds          time the handler takes for one batch
package bayeux
