// The faye project's own Bayeux server with a replay extension like Salesforce's, and a control address.
//
// Sessions, queues, advice and the wire are the server's. The extension keeps a log; whoever subscribes gets what came
// after the replay id, then what is published. A refused token is a Bayeux 401, as Salesforce sends it.
//
// Control: POST /publish?n=, /forget, /revoke, /disconnect, /expire; GET /token, /sessions, /log?after=.
'use strict';

const http = require('http');
const faye = require('faye');

const channel = '/data/ChangeEvents';
const log = [];
const followers = new Set(); // client ids
const positions = new Map(); // of subscriptions on their way in, by client id
let token = 1;
let last = 3_000_000_000;
let oldest = last;

const adapter = new faye.NodeAdapter({ mount: '/cometd', timeout: 5 });
const engine = adapter._server._engine; // the server has no public way to queue a message for one client
const memory = engine._engine;

function deliver(client, message) {
  if (!memory._messages.has(client)) memory._messages.set(client, []);
  memory._messages.get(client).push({ ...message });
  memory.emptyQueue(client);
}

function position(message) {
  const replay = message.ext && message.ext.replay && message.ext.replay[channel];
  return typeof replay === 'number' ? replay : -1;
}

adapter.addExtension({
  incoming(message, request, callback) {
    if (request && request.headers.authorization !== 'Bearer token-' + token) {
      message.error = '401::Authentication invalid'; // the server then refuses to act on it
    } else if (message.channel === '/meta/subscribe') {
      const after = position(message);
      positions.set(message.clientId, after);
      if (after >= 0 && after < oldest) {
        message.error = `400::The replayId {${after}} you provided was invalid.  Please provide a valid ID, ` +
          '-2 to replay all events, or -1 to replay only new events.';
      }
    }
    callback(message);
  },
  outgoing(message, request, callback) {
    if (message.channel === '/meta/handshake' && message.successful) message.ext = { replay: true };
    callback(message);
  },
});

adapter.on('subscribe', (client) => {
  const after = positions.get(client);
  for (const event of log) if (after !== -1 && event.data.event.replayId > after) deliver(client, event);
  followers.add(client);
});
adapter.on('unsubscribe', (client) => followers.delete(client));
adapter.on('disconnect', (client) => followers.delete(client));

function publish(count) {
  for (let i = 0; i < count; i++) {
    last += 1 + (last % 7);
    const event = { channel, data: {
      event: { replayId: last }, payload: { n: last, text: 'café "quoted" \\ 😀', none: {} }, schema: 'V2MGwDA2aIP0yQS98S2L6Q',
    } };
    log.push(event);
    for (const client of followers) deliver(client, event);
  }
}

function clients() {
  return [...memory._namespace._used];
}

const actions = {
  '/publish': (n) => publish(n),
  '/forget': () => clients().forEach((client) => memory.destroyClient(client)),
  '/disconnect': () => clients().forEach((client) => {
    deliver(client, { channel: '/meta/disconnect', successful: true });
    engine.flushConnection(client);
    memory.destroyClient(client);
  }),
  '/revoke': () => { token++; },
  '/expire': () => { oldest = last; log.length = 0; },
  '/token': () => 'token-' + token,
  '/sessions': () => String(clients().length),
  '/log': (after) => log.map((event) => event.data.event.replayId).filter((id) => id > after).join('\n'),
};

const control = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  const act = actions[url.pathname];
  if (!act) response.statusCode = 404;
  response.end(act ? act(Number([...url.searchParams.values()][0])) : undefined);
});
const server = http.createServer();
adapter.attach(server);
server.listen(0, '127.0.0.1', () => control.listen(0, '127.0.0.1', () => {
  console.log(`READY http://127.0.0.1:${server.address().port}/cometd http://127.0.0.1:${control.address().port}`);
}));
