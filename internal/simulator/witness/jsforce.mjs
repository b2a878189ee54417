// Shows that jsforce, unchanged, works with the simulated org: logins, refresh, describe, queries, records, Bulk 2.0.
//
// usage: jsforce.mjs [LINE]
// LINE is the JSON line that the simulator prints when it is ready, or a file that holds it; without it, standard input.
// Needs: npm install (NODE_PATH says where, if not beside this file). Prints a line per check,
// "N passed, N failed" last, and exits 1 when a check failed.
import { createRequire } from 'node:module';
import { deepStrictEqual, ok, rejects } from 'node:assert';
import { control, run, sim } from './frame.mjs';

const require = createRequire(import.meta.url);
const jsforce = require('jsforce');

const PATIENCE = 60_000; // milliseconds that a check may take
const CALLBACK = 'http://localhost/callback';

async function truth(entity) {
  return (await control('GET', `/org/${entity}`)).trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

const app = { loginUrl: sim.login_url, clientId: sim.client_id, clientSecret: sim.client_secret, redirectUri: CALLBACK };

// press opens the approval page as a browser does, presses a button, and returns where it is sent.
async function press(address, button) {
  const page = await fetch(address, { redirect: 'manual' });
  if (page.status === 302) return new URL(page.headers.get('location')); // --auto-approve
  ok((await page.text()).includes('Allow Access?'));
  const sent = await fetch(address, { method: 'POST', redirect: 'manual', body: new URLSearchParams({ [button]: 'x' }) });
  return new URL(sent.headers.get('location'));
}

let shared; // a connection that is logged in

async function connection() {
  if (!shared) {
    shared = new jsforce.Connection({ oauth2: app, version: '66.0' });
    await shared.login(sim.username, sim.password);
  }
  return shared;
}

const checks = {
  async 'authorization code with PKCE'() {
    const oauth2 = new jsforce.OAuth2({ ...app, useVerifier: true });
    const back = await press(oauth2.getAuthorizationUrl({ scope: 'api refresh_token', state: 'a b' }), 'save');
    deepStrictEqual(back.searchParams.get('state'), 'a b');
    const conn = new jsforce.Connection({ oauth2, version: '66.0' });
    const user = await conn.authorize(back.searchParams.get('code'));
    ok(user.id.startsWith('005') && user.organizationId.startsWith('00D') && conn.refreshToken, JSON.stringify(user));
    deepStrictEqual((await conn.identity()).username, sim.username);
    await rejects(oauth2.requestToken(back.searchParams.get('code')), { name: 'invalid_grant' });
  },

  async 'the verifier is checked'() {
    const oauth2 = new jsforce.OAuth2({ ...app, useVerifier: true });
    const back = await press(oauth2.getAuthorizationUrl({ scope: 'api' }), 'save');
    const other = new jsforce.OAuth2({ ...app, useVerifier: true });
    await rejects(other.requestToken(back.searchParams.get('code')), { name: 'invalid_grant' });
  },

  async 'refresh after 401'() {
    const conn = new jsforce.Connection({ oauth2: app, version: '66.0', instanceUrl: sim.instance_url, accessToken: 'stale', refreshToken: sim.refresh_token });
    const tokens = [];
    conn.on('refresh', (token) => tokens.push(token));
    ok((await conn.query('SELECT Id FROM Account LIMIT 1')).done);
    await control('POST', '/revoke-tokens');
    ok((await conn.query('SELECT Id FROM Account LIMIT 1')).done);
    deepStrictEqual(tokens.length, 2);
    ok(tokens[0] !== tokens[1]);
  },

  async 'a revoked refresh token is refused'() {
    const oauth2 = new jsforce.OAuth2(app);
    const back = await press(oauth2.getAuthorizationUrl({ scope: 'api refresh_token' }), 'save');
    const { refresh_token: token } = await oauth2.requestToken(back.searchParams.get('code'));
    await oauth2.revokeToken(token);
    await rejects(oauth2.refreshToken(token), { name: 'invalid_grant', message: 'expired access/refresh token' });
    await rejects(oauth2.revokeToken(token), { name: 'invalid_token' });
  },

  async 'password over OAuth and over SOAP'() {
    shared = undefined;
    ok((await connection()).accessToken);
    const conn = new jsforce.Connection({ loginUrl: sim.login_url, version: '66.0' });
    await conn.login(sim.username, sim.password);
    ok((await conn.query('SELECT Id FROM Account LIMIT 1')).done);
    await conn.logout();
    await rejects(new jsforce.Connection({ loginUrl: sim.login_url, version: '66.0' }).login(sim.username, 'wrong'), /INVALID_LOGIN/);
  },

  async 'describe'() {
    const conn = await connection();
    const { fields, keyPrefix } = await conn.describe('Account');
    const byName = Object.fromEntries(fields.map((f) => [f.name, f]));
    deepStrictEqual(keyPrefix, '001');
    deepStrictEqual(byName.BillingCity.compoundFieldName, 'BillingAddress');
    deepStrictEqual(byName.OwnerId.referenceTo, ['User']);
    ok((await conn.describeGlobal()).sobjects.some((o) => o.name === 'ContentNote'));
  },

  async 'SOQL pages'() {
    const conn = await connection();
    const expected = await truth('Account');
    let page = await conn.query('SELECT Id, Name, Owner.Name FROM Account', { autoFetch: false });
    deepStrictEqual([page.records.length, page.totalSize, page.done], [2000, expected.length, false]);
    const names = new Map();
    for (;;) {
      for (const r of page.records) names.set(r.Id, r.Name);
      ok(page.records[0].Owner.Name);
      if (page.done) break;
      page = await conn.queryMore(page.nextRecordsUrl);
    }
    deepStrictEqual([...names].sort(), expected.map((r) => [r.Id, r.Name]).sort());
    const all = await conn.query('SELECT Id FROM Contact', { autoFetch: true, maxFetch: 100_000 });
    deepStrictEqual(all.records.length, (await truth('Contact')).length);
  },

  async 'SOQL built by the library'() {
    const conn = await connection();
    const rows = await conn.sobject('Contact').find({ LastName: { $like: 'G%' }, Email: { $ne: null } }, 'Id, LastName').sort({ LastName: -1 }).limit(50);
    ok(rows.length === 50 && rows.every((r) => r.LastName.startsWith('G')));
  },

  async 'query errors'() {
    const conn = await connection();
    await rejects(conn.query('SELECT Bacon__c FROM Account'), { errorCode: 'INVALID_FIELD' });
    await rejects(conn.query('SELECT Id FROM Bacon'), { errorCode: 'INVALID_TYPE' });
    await rejects(conn.sobject('Account').retrieve('001000000000001AAA'), { errorCode: 'NOT_FOUND' });
  },

  async 'records'() {
    const conn = await connection();
    const contacts = conn.sobject('Contact');
    const made = await contacts.create({ LastName: 'Žižka', Email: 'z@example.com' });
    ok(made.success);
    await contacts.update({ Id: made.id, FirstName: 'Jan', Email: null });
    const record = await contacts.retrieve(made.id);
    deepStrictEqual([record.Name, record.Email], ['Jan Žižka', null]);
    await contacts.destroy(made.id);
    const gone = await conn.query(`SELECT Id, IsDeleted FROM Contact WHERE Id = '${made.id}'`, { scanAll: true });
    deepStrictEqual(gone.records[0].IsDeleted, true);
    const end = new Date();
    const { latestDateCovered } = await contacts.updated(new Date(end - 3_600_000), end);
    ok(latestDateCovered);
  },

  // One page: the library ends its parser with the first page and fails on the second, whoever serves it.
  async 'Bulk 2.0 query'() {
    const conn = await connection();
    await control('PATCH', '/settings', { bulk: { page_rows: 100_000 } });
    conn.bulk2.pollInterval = 100;
    const stream = await conn.bulk2.query('SELECT Id, LastName, Description FROM Contact');
    const rows = (await stream.toArray()).filter((r) => r.Id !== 'Id'); // it takes the header of later pages for a row
    const expected = new Map((await truth('Contact')).map((r) => [r.Id, r]));
    deepStrictEqual(rows.length, expected.size);
    for (const r of rows) deepStrictEqual([r.LastName, r.Description ?? ''], [expected.get(r.Id).LastName, expected.get(r.Id).Description ?? '']);
  },

  async 'Bulk 2.0 queryAll'() {
    const conn = await connection();
    const rows = (await (await conn.bulk2.query('SELECT Id, IsDeleted FROM Contact', { scanAll: true })).toArray()).filter((r) => r.Id !== 'Id');
    const gone = rows.filter((r) => r.IsDeleted === 'true').length;
    deepStrictEqual(rows.length, (await truth('Contact')).length + gone);
    ok(gone > 0);
  },

  async 'Bulk 2.0 refuses compound fields'() {
    const conn = await connection();
    await rejects(conn.bulk2.query('SELECT BillingAddress FROM Account'), /compound data not supported/);
  },
};

await run('jsforce', checks, PATIENCE);
