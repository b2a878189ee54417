// Shows that jsforce, unchanged, streams from the simulated org with its replay and authentication failure extensions.
//
// usage: jsforce_streaming.mjs [LINE]
// LINE is the JSON line that the simulator prints when it is ready, or a file that holds it; without it, standard input.
// Needs: npm install jsforce (NODE_PATH says where, if not beside this file). Prints a line per check,
// "N passed, N failed" last, and exits 1 when a check failed.
import { createRequire } from 'node:module';
import { deepStrictEqual, ok } from 'node:assert';
import { control, run, sim } from './frame.mjs';

const require = createRequire(import.meta.url);
const jsforce = require('jsforce');
const { StreamingExtension } = require('jsforce/lib/api/streaming');

const PATIENCE = 30_000; // milliseconds that a check may take
const ALL = '/data/ChangeEvents';

async function emit(count = 1) {
  for (let i = 0; i < count; i++) await control('POST', '/emit?object=Account');
}

const oauth2 = { loginUrl: sim.login_url, clientId: sim.client_id, clientSecret: sim.client_secret, redirectUri: 'http://localhost/callback' };

async function login() {
  const conn = new jsforce.Connection({ oauth2, version: '66.0' });
  await conn.login(sim.username, sim.password);
  return conn;
}

// Stream is one faye client of jsforce, subscribed to a channel; events are taken with next().
class Stream {
  static async open(conn, channel, replay) {
    const stream = new Stream();
    stream.events = [];
    stream.replay = new StreamingExtension.Replay(channel, replay);
    stream.denied = new Promise((resolve) => {
      stream.client = conn.streaming.createClient([new StreamingExtension.AuthFailure(resolve), stream.replay]);
    });
    stream.subscription = stream.client.subscribe(channel, (event) => {
      stream.events.push(event);
      stream.wake?.();
    });
    await stream.subscription;
    return stream;
  }

  async next(count = 1) {
    while (this.events.length < count) await new Promise((resolve) => (this.wake = resolve));
    return this.events.splice(0, count);
  }

  close() {
    return this.client.disconnect();
  }
}

const ids = (events) => events.map((e) => e.event.replayId);

// text is the error of a refused subscription. The client splits off the code only when the rest has plain characters.
const text = (error) => (error?.code ? `${error.code}:${error.params}:${error.message}` : String(error?.message));

// within runs fn with a stream that is closed afterwards.
async function within(conn, channel, replay, fn) {
  const stream = await Stream.open(conn, channel, replay);
  try {
    return await fn(stream);
  } finally {
    await stream.close();
  }
}

const checks = {
  async 'replay -1: only what happens after the subscription'() {
    await emit();
    await within(await login(), '/data/AccountChangeEvent', -1, async (stream) => {
      await emit(2);
      const got = await stream.next(2);
      deepStrictEqual(got.map((e) => e.payload.ChangeEventHeader.entityName), ['Account', 'Account']);
      deepStrictEqual(stream.events, []);
    });
  },

  async 'replay -2 delivers what is retained, replay from an id the rest of it'() {
    const conn = await login();
    const last = await within(conn, ALL, -1, async (stream) => {
      await emit(4);
      return ids(await stream.next(4));
    });
    await within(conn, ALL, -2, async (stream) => {
      const seen = [];
      while (!seen.includes(last[3])) seen.push(...ids(await stream.next()));
      deepStrictEqual(seen.slice(-4), last);
      deepStrictEqual(seen, [...seen].sort((a, b) => a - b));
    });
    await within(conn, ALL, last[1], async (stream) => deepStrictEqual(ids(await stream.next(2)), last.slice(2)));
  },

  async 'an invalid id is refused with 400'() {
    const conn = await login();
    let refused;
    try {
      await within(conn, ALL, 82, async () => {});
    } catch (error) {
      refused = error;
    }
    ok(text(refused).startsWith('400::The replayId {82} you provided was invalid.'), text(refused));
  },

  async 'a forgotten session: the client handshakes again and resubscribes where it was'() {
    await within(await login(), ALL, -1, async (stream) => {
      await emit();
      const [first] = ids(await stream.next());
      await control('POST', '/expire-sessions');
      await emit(3);
      const rest = ids(await stream.next(3));
      ok(first < rest[0] && rest[0] < rest[1] && rest[1] < rest[2], `${first} ${rest}`);
    });
  },

  async 'a revoked token: the extension says so; with the refreshed one the stream goes on where it was'() {
    const conn = new jsforce.Connection({ oauth2, version: '66.0', instanceUrl: sim.instance_url, refreshToken: sim.refresh_token });
    conn.accessToken = (await conn.oauth2.refreshToken(sim.refresh_token)).access_token;
    const stream = await Stream.open(conn, ALL, -1);
    await emit();
    const [first] = ids(await stream.next());
    await control('POST', '/revoke-tokens');
    const message = await stream.denied;
    ok(JSON.stringify(message).includes('401::Authentication invalid'), JSON.stringify(message));
    await emit(2);
    // A REST call with the old token gets 401; jsforce refreshes by itself and tells.
    const refreshed = new Promise((resolve) => conn.once('refresh', resolve));
    deepStrictEqual((await conn.query('SELECT Id FROM Account LIMIT 1')).records.length, 1);
    deepStrictEqual(conn.accessToken, await refreshed);
    await within(conn, ALL, stream.replay._replay, async (again) => {
      const rest = ids(await again.next(2));
      ok(first < rest[0] && rest[0] < rest[1], `${first} ${rest}`);
    });
  },

  async 'a PushTopic that does not exist is refused'() {
    const conn = await login();
    let refused;
    try {
      await conn.streaming.topic('NoSuchTopic').subscribe(() => {});
    } catch (error) {
      refused = error;
    }
    deepStrictEqual(text(refused), '400::The channel you requested to subscribe to does not exist {/topic/NoSuchTopic}');
  },
};

await run('jsforce streaming', checks, PATIENCE);
