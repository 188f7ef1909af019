'use strict';

// Drives the app through zapier-platform-core against a running connector in sandbox mode:
//
//   soke-connector serve --sandbox
//   SOKE_CONNECTOR_URL=http://127.0.0.1:8080 npm test
const assert = require('node:assert/strict');
const http = require('node:http');
const { after, before, test } = require('node:test');
const zapier = require('zapier-platform-core');
const App = require('../index');

const app = zapier.createAppTester(App);
const { skip } = { skip: process.env.SOKE_CONNECTOR_URL ? false : 'SOKE_CONNECTOR_URL is not set' };
const auth = (key = 'sk_live_sandbox_active') => ({ api_key: key });
const meta = { isLoadingSample: true }; // the editor, where creates answer at once

// What the fields of an operation show as examples is an input that works.
const examples = ({ operation }) =>
  Object.fromEntries(operation.inputFields.filter((f) => f.placeholder).map((f) => [f.key, f.placeholder]));

test('a good key is accepted and named without showing it', { skip }, async () => {
  const found = await app(App.authentication.test, { authData: auth() });
  assert.match(found.label, /^Soke ••••/);
});

test('a key that is not accepted says so when it is entered', { skip }, async () => {
  await assert.rejects(app(App.authentication.test, { authData: auth('sk_live_sandbox_revoked') }), (error) => {
    assert.equal(error.name, 'AppError');
    return /API Keys/.test(error.message);
  });
});

for (const [key, name] of [
  ['sk_live_sandbox_revoked', 'ExpiredAuthError'],
  ['sk_live_sandbox_expired', 'AppError'],
  ['sk_live_sandbox_nocredits', 'AppError'],
  ['sk_live_sandbox_forbidden', 'AppError'],
]) {
  test(`a create with ${key} raises ${name}`, { skip }, async () => {
    const [create] = Object.values(App.creates);
    const run = app(create.operation.perform, { authData: auth(key), inputData: examples(create), meta });
    await assert.rejects(run, { name });
  });
}

for (const create of Object.values(App.creates)) {
  test(`${create.key} returns what its sample promises`, { skip }, async () => {
    const result = await app(create.operation.perform, { authData: auth(), inputData: examples(create), meta });
    for (const key of Object.keys(create.operation.sample)) assert.ok(key in result, `${key} is missing`);
  });
}

const watch = (topic) => ({ topic, schedule: '@every 1s', maxResults: '5' });

for (const trigger of Object.values(App.triggers).filter((t) => t.operation.type === 'polling')) {
  test(`${trigger.key} polls events with ids of their own`, { skip }, async () => {
    const bundle = { authData: auth(), inputData: watch('home espresso') };
    const events = await app(trigger.operation.perform, bundle);
    assert.equal(new Set(events.map((e) => e.id)).size, events.length);
  });
}

let receiver;
let arrived;
before(async () => {
  arrived = new Promise((resolve) => {
    receiver = http.createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += chunk));
      request.on('end', () => {
        response.end('{}');
        resolve(JSON.parse(body));
      });
    });
  });
  await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve));
});
after(() => receiver.close());

test('an instant trigger subscribes, gets its events and lets go without a key', { skip }, async () => {
  const { operation } = App.triggers.new_keyword_instant;
  const targetUrl = `http://127.0.0.1:${receiver.address().port}/hooks/standard/1`;
  const bundle = { authData: auth(), inputData: watch('cold brew'), targetUrl };
  const subscribeData = await app(operation.performSubscribe, bundle);
  const events = await app(operation.perform, { ...bundle, subscribeData, cleanedRequest: await arrived });
  assert.equal(events[0].type, 'new-keyword');
  const gone = await app(operation.performUnsubscribe, { ...bundle, authData: auth('sk_live_gone_00000000'), subscribeData });
  assert.equal(gone.deleted, true);
});

test('a delivery that tells of a pause raises its error', async () => {
  const { operation } = App.triggers.new_keyword_instant;
  const error = { code: 'SUBSCRIPTION_REQUIRED', message: 'Renew your Soke subscription.', type: 'Error' };
  const cleanedRequest = { type: 'trigger.paused', error, events: [] };
  await assert.rejects(app(operation.perform, { authData: auth(), cleanedRequest }), /Renew your Soke subscription/);
});

test('a resumed create returns its result or raises its error', async () => {
  const slow = Object.values(App.creates).find((c) => c.operation.performResume);
  const resume = (cleanedRequest) => app(slow.operation.performResume, { authData: auth(), cleanedRequest });
  assert.deepEqual(await resume({ status: 'success', result: { content: 'hello' } }), { content: 'hello' });
  const error = { code: 'UNAUTHORIZED', message: 'Enter a valid Soke API key.', type: 'ExpiredAuthError' };
  await assert.rejects(resume({ status: 'failed', error }), { name: 'ExpiredAuthError' });
});

// A connector of the tests' own, for what one on its sandbox does not do. It keeps what it is asked.
const stub = async (answer, use) => {
  const asked = [];
  const server = http.createServer((request, response) => {
    asked.push({ method: request.method, url: request.url, headers: request.headers });
    request.resume().on('end', () => answer(response, asked));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  await connectedTo(`http://127.0.0.1:${server.address().port}`, () => use(asked)).finally(() => {
    server.closeAllConnections();
    server.close();
  });
};

const connectedTo = async (url, use) => {
  const before = process.env.SOKE_CONNECTOR_URL;
  process.env.SOKE_CONNECTOR_URL = url;
  try {
    await use();
  } finally {
    if (before === undefined) delete process.env.SOKE_CONNECTOR_URL;
    else process.env.SOKE_CONNECTOR_URL = before;
  }
};

const json = (status, body) => (response) => {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
};

const research = App.creates.research_keywords.operation.perform;
const poll = App.triggers.new_keyword.operation.perform;
const { performSubscribe, performUnsubscribe } = App.triggers.new_keyword_instant.operation;

for (const [what, entered] of [
  ['spaces around it', ' sk_live_sandbox_active\n'],
  ['a zero-width space behind it', 'sk_live_sandbox_active\u200b'],
]) {
  test(`a key with ${what} is taken without`, () =>
    stub(json(200, { ok: true, label: 'Soke ••••tive' }), async (asked) => {
      await app(App.authentication.test, { authData: { ...auth(entered), account_id: ' acc_main\u200b' } });
      assert.equal(asked[0].headers['x-soke-key'], 'sk_live_sandbox_active');
      assert.equal(asked[0].headers['x-soke-account-id'], 'acc_main');
    }));
}

for (const [what, authData, words] of [
  ['key with a line break in it', auth('sk_live_sandbox\n_secret'), /^Check the API key/],
  ['key with a zero-width space in it', auth('sk_live_sandbox\u200b_secret'), /^Check the API key/],
  ['key of something else', auth('pk_test_sandbox_secret'), /^Check the API key/],
  ['key that is a blank', auth('\u200b'), /^Check the API key/],
  ['account that is none', { ...auth(), account_id: 'acc\n_secret' }, /^Check the Account ID/],
]) {
  test(`a ${what} is refused without being shown`, () =>
    stub(json(200, []), async (asked) => {
      for (const call of [App.authentication.test, research, poll]) {
        await assert.rejects(app(call, { authData, inputData: {}, meta }), (error) => {
          assert.doesNotMatch(error.message, /secret/);
          return error.name === 'AppError' && words.test(JSON.parse(error.message).message);
        });
      }
      assert.equal(asked.length, 0);
    }));
}

test('the connection is labelled without the name of the app', async () => {
  const label = await app(App.authentication.connectionLabel, { authData: auth(), inputData: { label: 'Soke ••••tive (acc_main)' } });
  assert.equal(label, '••••tive (acc_main)');
});

test('the connector is asked to answer before Zapier ends the step, but not where it calls back', () =>
  stub(json(200, []), async (asked) => {
    const bundle = { authData: auth(), inputData: {}, meta, targetUrl: 'https://hooks.zapier.com/1' };
    await app(App.authentication.test, bundle).catch(() => {});
    for (const call of [research, poll, performSubscribe]) await app(call, bundle).catch(() => {});
    assert.deepEqual(asked.map(({ headers }) => headers.prefer), ['wait=25', 'wait=25', 'wait=25', 'wait=25']);
    const slow = Object.values(App.creates).find((c) => c.operation.performResume);
    await app(slow.operation.perform, { ...bundle, meta: {} }).catch(() => {});
    assert.ok(asked[4].headers['x-callback-url']);
    assert.equal(asked[4].headers.prefer, undefined);
  }));

// What Zapier keeps for the app goes by in the time that is said.
const forget = () => (app.zcacheTestObj = {});
const keysOf = (asked) => asked.map(({ headers }) => headers['idempotency-key']);
const failing = json(504, { success: false, error: { code: 'UPSTREAM_TIMEOUT', message: 'Too long.', type: 'Error' } });

test('a create that is tried again has one key, whatever the clock says', (t) =>
  stub(failing, async (asked) => {
    forget();
    t.mock.timers.enable({ apis: ['Date'], now: Date.parse('2026-11-28T09:09:59Z') });
    const bundle = { authData: auth(), inputData: { topic: 'home espresso' } };
    await assert.rejects(app(research, bundle), /Too long/);
    t.mock.timers.tick(5 * 60 * 1000);
    await assert.rejects(app(research, bundle), /Too long/);
    t.mock.timers.tick(30 * 60 * 1000);
    await assert.rejects(app(research, { ...bundle, authData: auth(' sk_live_sandbox_active ') }), /Too long/);
    const [first, ...more] = keysOf(asked);
    assert.match(first, /^[\x21-\x7e]{16,255}$/);
    assert.deepEqual(more, [first, first]);
  }));

test('creates that ask something else have keys of their own', () =>
  stub(json(200, {}), async (asked) => {
    forget();
    await app(research, { authData: auth(), inputData: { topic: 'home espresso' } });
    await app(research, { authData: auth(), inputData: { topic: 'cold brew' } });
    await app(research, { authData: auth('sk_live_sandbox_other'), inputData: { topic: 'home espresso' } });
    await app(research, { authData: { ...auth(), account_id: 'acc_second' }, inputData: { topic: 'home espresso' } });
    assert.equal(new Set(keysOf(asked)).size, 4);
  }));

test('a create that was answered keeps its key for ten minutes from then on', () =>
  stub(json(200, {}), async (asked) => {
    forget();
    const lives = [];
    const kept = new Map();
    const cache = {
      get: async (name) => kept.get(name) || null,
      set: async (name, value, seconds) => Boolean(kept.set(name, value) && lives.push(seconds)),
    };
    const bundle = { authData: auth(), inputData: {} };
    const run = () => app((z, b) => research({ ...z, cache }, b), bundle);
    await run();
    await run();
    assert.equal(new Set(keysOf(asked)).size, 1);
    assert.deepEqual(lives, [7200, 600], 'the second run makes it last no longer');
    kept.clear();
    await run();
    assert.equal(new Set(keysOf(asked)).size, 2);
  }));

test('a create is paid once by the clock where Zapier keeps nothing', () =>
  stub(json(200, {}), async (asked) => {
    const fails = async () => {
      throw new Error('RPC request failed');
    };
    const run = () => app((z, b) => research({ ...z, cache: { get: fails, set: fails } }, b), { authData: auth(), inputData: {} });
    await run();
    await run();
    const [first, second] = keysOf(asked);
    assert.ok(first);
    assert.equal(first, second);
  }));

const unread = (error) => assert.doesNotMatch(error.message, /ECONN|127\.0\.0\.1|sk_live|socket|reason/);

test('a connector that is away is said in words, and live steps wait for it', () =>
  connectedTo('http://127.0.0.1:9', async () => {
    const bundle = { authData: auth(), inputData: {}, targetUrl: 'https://hooks.zapier.com/1', subscribeData: { id: 'sub_1', unsubscribeToken: 't' } };
    for (const [call, name, more] of [
      [research, 'ThrottledError', {}],
      [poll, 'ThrottledError', {}],
      [research, 'AppError', { meta }],
      [App.authentication.test, 'AppError', {}],
      [performSubscribe, 'AppError', {}],
      [performUnsubscribe, 'AppError', {}],
    ]) {
      await assert.rejects(app(call, { ...bundle, ...more }), (error) => {
        unread(error);
        assert.match(error.message, /connector could not be reached/);
        if (name === 'ThrottledError') assert.equal(JSON.parse(error.message).delay, 60);
        return error.name === name;
      });
    }
  }));

test('an answer that breaks off may have been paid for and is not repeated by itself', () =>
  stub(
    (response) => response.socket.destroy(),
    () =>
      assert.rejects(app(research, { authData: auth(), inputData: {} }), (error) => {
        unread(error);
        return error.name === 'AppError' && /gave no answer/.test(error.message);
      }),
  ));
