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
