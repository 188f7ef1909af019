'use strict';

// Unit tests of what is compiled; the nodes themselves run in a real n8n (.ci/n8n-real of the
// connector's repository).
const assert = require('node:assert/strict');
const { createHmac } = require('node:crypto');
const { test } = require('node:test');
const { isSigned } = require('../dist/nodes/SokeTrigger/signature.js');
const { form, input, merge, simplified } = require('../dist/nodes/shared/properties.js');
const { actions, triggers } = require('../dist/nodes/shared/catalogue.js');
const { apiError } = require('../dist/nodes/shared/connector.js');
const { connection } = require('../dist/nodes/shared/credential.js');
const { Soke } = require('../dist/nodes/Soke/Soke.node.js');
const { SokePollingTrigger } = require('../dist/nodes/SokePollingTrigger/SokePollingTrigger.node.js');
const { SokeTrigger } = require('../dist/nodes/SokeTrigger/SokeTrigger.node.js');
const { SokeApi } = require('../dist/credentials/SokeApi.credentials.js');

const key = 'sk_live_unit_0001';
const now = 1_795_420_800_000;
const sign = (apiKey, subscription, body, { id = 'dlv_1', seconds = now / 1000 } = {}) => {
	const secret = createHmac('sha256', apiKey).update(`soke-connector/webhook/v1/${subscription}`).digest();
	const signature = createHmac('sha256', secret).update(`${id}.${seconds}.${body}`).digest('base64');
	return { 'webhook-id': id, 'webhook-timestamp': String(seconds), 'webhook-signature': `v1,${signature}` };
};
const body = '{"type":"new-keyword","events":[]}';

test('a delivery that is signed with the key of the credential is taken', () => {
	assert.ok(isSigned(key, ['sub_other', 'sub_1'], sign(key, 'sub_1', body), Buffer.from(body), now));
});

test('during a rotation one signature that fits is enough', () => {
	const headers = sign(key, 'sub_1', body);
	headers['webhook-signature'] = `v1,AAAA ${headers['webhook-signature']}`;
	assert.ok(isSigned(key, ['sub_1'], headers, Buffer.from(body), now));
});

for (const [what, headers, raw] of [
	['another key', sign('sk_live_other_001', 'sub_1', body), body],
	['another subscription', sign(key, 'sub_2', body), body],
	['another body', sign(key, 'sub_1', body), `${body} `],
	['an old time', sign(key, 'sub_1', body, { seconds: now / 1000 - 600 }), body],
	['a time that is none', { ...sign(key, 'sub_1', body), 'webhook-timestamp': 'soon' }, body],
	['no signature', {}, body],
	['another version', { ...sign(key, 'sub_1', body), 'webhook-signature': 'v2,AAAA' }, body],
]) {
	test(`a delivery with ${what} is refused`, () => {
		assert.equal(isSigned(key, ['sub_1'], headers, Buffer.from(raw), now), false);
	});
}

test('every operation and every event has a form', () => {
	for (const a of actions) assert.ok(form(a.fields, { operation: [a.key] }, a.instead).length > 0, a.key);
	for (const t of triggers) assert.ok(form(t.fields, { event: [t.key] }).length > 0, t.key);
});

test('fields that events have alike are shown once', () => {
	const topics = merge(triggers.flatMap((t) => form(t.fields, { event: [t.key] })), 'event').filter((p) => p.name === 'topic');
	assert.equal(topics.length, 1);
	assert.equal(topics[0].displayOptions.show.event.length, triggers.length);
});

test('of fields that exclude each other only the chosen one is sent', () => {
	const chat = actions.find((a) => a.instead.length > 0);
	const filled = { input: 'messages', prompt: 'left over', messages: { rows: [{ role: 'user', content: 'hi' }] }, options: { model: 'soke-v1' } };
	assert.deepEqual(input(chat.fields, (name) => filled[name], chat.instead), { messages: [{ role: 'user', content: 'hi' }], model: 'soke-v1' });
});

test('simplify keeps what the catalogue describes', () => {
	const fields = [{ name: 'count', kind: 'integer' }, { name: 'raw', kind: 'any' }, { name: 'keywords', kind: 'objects', fields: [{ name: 'keyword', kind: 'string' }] }];
	const answer = { count: 1, raw: {}, extra: 1, keywords: [{ keyword: 'a', longTail: [] }] };
	assert.deepEqual(simplified(answer, fields), { count: 1, keywords: [{ keyword: 'a' }] });
});

test('folded fields come after every other one', () => {
	const types = merge(triggers.flatMap((t) => form(t.fields, { event: [t.key] })), 'event').map((p) => p.type);
	assert.ok(types.includes('collection'));
	assert.deepEqual(types.slice(types.indexOf('collection')).filter((type) => type !== 'collection'), []);
});

// The rule that n8n would stop at, as its credential test compares them.
const verdict = (body) => new SokeApi().test.rules.find(({ properties: { key, value } }) => key.split('.').reduce((at, name) => at?.[name], body) === value)?.properties.message;

for (const [what, found, words] of [
	['that works passes', { ok: true, label: 'Soke ••••tive' }, undefined],
	['whose key was not accepted says so', { ok: false, error: { code: 'UNAUTHORIZED' } }, /valid Soke API key/],
	['that fails for a reason unknown to us does not pass', { ok: false, error: { code: 'INVENTED_SINCE' } }, /did not accept this connection/],
	['that leads to another server does not pass', '<html></html>', /not a Soke connector/],
]) {
	test(`a credential ${what}`, () => (words ? assert.match(verdict(found), words) : assert.equal(verdict(found), undefined)));
}

const node = { id: 'n', name: 'Soke', type: 'n8n-nodes-soke.soke', typeVersion: 1, position: [0, 0], parameters: {} };
const failure = { code: 'RATE_LIMIT_EXCEEDED', title: 'Too many requests', message: 'Wait 7 seconds.', retryAfter: 7 };

test('a failure is shown with its title, its instruction and the wait that it asks for', () => {
	const error = apiError(node, failure, { statusCode: 429, body: {} }, 3);
	assert.deepEqual([error.message, error.description, error.httpCode, error.context.itemIndex], ['Too many requests', 'Wait 7 seconds.', '429', 3]);
	assert.deepEqual(error.failure, { cause: 'rate-limited', retryAfterMs: 7000 });
});

test('where n8n shows one line, that line is the instruction', () => {
	assert.equal(apiError(node, failure, { statusCode: 429, body: {} }, undefined, true).message, 'Wait 7 seconds.');
});

const url = 'https://n8n.example.com/webhook/1/webhook';
const filled = { event: 'new-keyword', topic: 'home espresso', options: {} };
const wanted = JSON.stringify(['/triggers/new-keyword', { topic: 'home espresso' }]);
for (const [what, answer, kept, exists] of [
	['that nobody has made is made', { statusCode: 404, body: {} }, undefined, false],
	['that is well stays', { statusCode: 200, body: { id: 'sub_1', state: 'active', reason: null } }, { id: 'sub_1', asked: wanted }, true],
	['that asks for something else is renewed', { statusCode: 200, body: { id: 'sub_1', state: 'active', reason: null } }, { id: 'sub_1', asked: '[]' }, false],
	['that was left behind is renewed', { statusCode: 200, body: { id: 'sub_1', state: 'active', reason: null } }, undefined, false],
	['whose deliveries were given up is renewed', { statusCode: 200, body: { id: 'sub_1', state: 'paused', reason: 'TARGET_FAILING' } }, { id: 'sub_1', asked: wanted }, false],
	['that Soke has paused goes on by itself', { statusCode: 200, body: { id: 'sub_1', state: 'paused', reason: 'SUBSCRIPTION_REQUIRED' } }, { id: 'sub_1', asked: wanted }, true],
	['whose test has ended is made again', { statusCode: 200, body: { id: 'sub_1', state: 'ended', reason: null } }, { id: 'sub_1', asked: wanted }, false],
]) {
	test(`a subscription ${what}`, async () => {
		const context = {
			getNode: () => node,
			getNodeWebhookUrl: () => url,
			getNodeParameter: (name, otherwise) => filled[name] ?? otherwise,
			getWorkflowStaticData: () => ({ production: kept }),
			getCredentials: async () => ({ baseUrl: 'https://connector.example.com' }),
			helpers: { httpRequestWithAuthentication: async () => answer },
		};
		assert.equal(await new SokeTrigger().webhookMethods.default.checkExists.call(context), exists);
	});
}

test('a run that tells why events have stopped fails with what to do, and others pass', async () => {
	const run = (json) => new SokeTrigger().execute.call({ getNode: () => node, getInputData: () => [{ json }] });
	await assert.rejects(run({ type: 'trigger.paused', error: failure }), { name: 'NodeApiError', description: 'Wait 7 seconds.' });
	assert.deepEqual(await run({ type: 'new-keyword' }), [[{ json: { type: 'new-keyword' } }]]);
});

const entered = { apiKey: 'sk_live_unit_0001', accountId: '', baseUrl: 'https://connector.example.com/' };

// As much of n8n's context as the nodes use. Requests are kept and answered in turn; the last answer
// stays. An answer that is an error is what n8n throws when the network fails.
const contextOf = ({ credentials = entered, kept = {}, parameters = filled, mode = 'trigger', answers = [], ...more }) => {
  const asked = [];
  const send = (authenticated) => async function (...args) {
    const request = args.at(-1);
    asked.push({ ...request, url: request.url.replace(/^.*\/v1\/n8n/, ''), at: new URL(request.url).origin, authenticated });
    const answer = answers[Math.min(asked.length, answers.length) - 1];
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return {
    asked,
    kept,
    warnings: [],
    getNode: () => node,
    getMode: () => mode,
    getNodeWebhookUrl: () => url,
    getNodeParameter: (name, otherwise) => parameters[name] ?? otherwise,
    getWorkflowStaticData: () => kept,
    getCredentials: async () => credentials,
    helpers: { httpRequestWithAuthentication: send(true), httpRequest: send(false) },
    logger: { warn() {} },
    ...more,
  };
};
const fingerprintOf = async (credentials) => (await connection.call(contextOf({ credentials }))).fingerprint;
const homeOf = async (credentials) => (await connection.call(contextOf({ credentials }))).home;
const ok = (body) => ({ statusCode: 200, body });
const refused = (error, statusCode = 400) => ({ statusCode, body: { success: false, error: { title: 'An input needs attention', ...error } } });
const page = (cursor, ...topics) => ok({ events: topics.map((topic) => ({ topic, baseline: false })), cursor, hasMore: false });

// As n8n fills in an expression.
const header = (name, $credentials) => new Function('$credentials', `return ${new SokeApi().authenticate.properties.headers[name].slice(3, -2)}`)($credentials);

test('what came along with a pasted key is neither sent nor signed with', async () => {
  for (const apiKey of [` ${key}`, `${key}\n`, `\u200b${key}\u200b`, `${key.slice(0, 9)}\r\n${key.slice(9)}`]) {
    assert.equal(header('X-Soke-Key', { apiKey }), key);
    assert.equal((await connection.call(contextOf({ credentials: { ...entered, apiKey } }))).apiKey, key);
  }
  assert.equal(header('X-Soke-Account-Id', { accountId: ' acc_main\u200b' }), 'acc_main');
  assert.equal(header('X-Soke-Account-Id', {}), '');
});

test('a fingerprint tells connections apart and shows none of a key', async () => {
  const print = await fingerprintOf(entered);
  assert.match(print, /^[0-9a-f]{16}$/);
  assert.equal(await fingerprintOf({ ...entered, apiKey: `${key}\n`, baseUrl: 'https://connector.example.com' }), print);
  for (const other of [{ apiKey: 'sk_live_unit_0002' }, { accountId: 'acc_main' }, { baseUrl: 'https://other.example.com' }]) {
    assert.notEqual(await fingerprintOf({ ...entered, ...other }), print);
  }
});

const poll = (context) => new SokePollingTrigger().poll.call(context);
const polled = async (more = {}) => ({ asked: JSON.stringify(['/triggers/new-keyword', { topic: 'home espresso' }, await fingerprintOf(entered)]), cursor: 'c1', ...more });

test('a poll goes on from its place', async () => {
  const context = contextOf({ kept: await polled(), answers: [page('c2', 'a')] });
  assert.deepEqual(await poll(context), [[{ json: { topic: 'a', baseline: false } }]]);
  assert.equal(context.asked[0].body.cursor, 'c1');
  assert.equal(context.kept.cursor, 'c2');
});

for (const [what, other] of [['key', { apiKey: 'sk_live_unit_0002' }], ['account', { accountId: 'acc_second' }], ['connector', { baseUrl: 'https://other.example.com' }]]) {
  test(`a poll with another ${what} finds its place anew`, async () => {
    const context = contextOf({ credentials: { ...entered, ...other }, kept: await polled(), answers: [page('c9', 'old')] });
    assert.equal(await poll(context), null);
    assert.deepEqual(context.asked.map(({ body }) => [body.cursor, body.limit]), [[undefined, 1]]);
    assert.equal(context.kept.cursor, 'c9');
  });
}

test('a poll whose place is refused finds it anew, and any other refusal is told', async () => {
  const context = contextOf({ kept: await polled(), answers: [refused({ message: 'Cursor: no.', field: 'cursor' }), page('c9', 'old')] });
  assert.equal(await poll(context), null);
  assert.equal(context.kept.cursor, 'c9');
  const other = contextOf({ kept: await polled(), answers: [refused({ message: 'Schedule: no.', field: 'schedule' })] });
  await assert.rejects(poll(other), { message: 'Schedule: no.' });
});

test('a poll that fails on a later page loses nothing', async () => {
  const first = { statusCode: 200, body: { events: [{ topic: 'a' }], cursor: 'c2', hasMore: true } };
  const context = contextOf({ kept: await polled(), answers: [first, refused({ message: 'Later.' }, 503)] });
  await assert.rejects(poll(context), { message: 'Later.' });
  assert.equal(context.kept.cursor, 'c1');
});

test('where a polling trigger cannot be switched on, n8n shows what to do', async () => {
  const context = contextOf({ answers: [refused({ message: 'Schedule: it is too short.', field: 'schedule' })] });
  await assert.rejects(poll(context), { message: 'Schedule: it is too short.' });
});

const act = (answer, more = {}) =>
  new Soke().execute.call(
    contextOf({
      parameters: { operation: 'research-keywords', resource: 'keyword', topic: 'home espresso', options: {} },
      answers: [answer],
      getInputData: () => [{ json: {} }],
      continueOnFail: () => false,
      getExecutionId: () => '7',
      getInstanceBaseUrl: () => 'https://n8n.example.com',
      getWorkflowDataProxy: () => ({ $runIndex: 0 }),
      ...more,
    }),
  );

test('a connector that is away is said with where to look, at its item', async () => {
  await assert.rejects(act(new Error('The service refused the connection')), (error) => {
    assert.equal(error.message, 'The Soke connector could not be reached');
    assert.match(error.description, /^Check the Connector URL in the Soke credential.*refused the connection/);
    return error.context.itemIndex === 0;
  });
});

test('a page of something else is not taken for silence', async () => {
  for (const answer of [{ statusCode: 404, body: '<html>nginx</html>' }, ok('<html>hello</html>'), { statusCode: 404, body: { error: 'no' } }]) {
    await assert.rejects(act(answer), (error) => {
      assert.match(error.message, /other than a Soke connector/);
      return /Connector URL/.test(error.description);
    });
  }
});

const hooks = new SokeTrigger().webhookMethods.default;
const made = (id, statusCode = 201) => ({ statusCode, body: { id, unsubscribeToken: `token of ${id}` } });
const deleted = ok({ deleted: true });
const gone = ({ url: path, method, authenticated, headers, at }) => [method, at + path, authenticated, headers?.['X-Unsubscribe-Token']];
const oldOne = async (more = {}) => ({
  id: 'sub_old', unsubscribeToken: 'token of sub_old', url: 'https://connector.example.com/v1/n8n/triggers/new-keyword/subscriptions/sub_old',
  asked: wanted, connection: await fingerprintOf(entered), home: await homeOf(entered), ...more,
});
const changed = { ...entered, apiKey: 'sk_live_unit_0002' };
const ended = ['DELETE', 'https://connector.example.com/triggers/new-keyword/subscriptions/sub_old', false, 'token of sub_old'];

test('a subscription remembers where and with which connection it was made, and no secret', async () => {
  const context = contextOf({ answers: [made('sub_1')] });
  assert.equal(await hooks.create.call(context), true);
  const { production } = context.kept;
  assert.equal(production.connection, await fingerprintOf(entered));
  assert.equal(production.url, 'https://connector.example.com/v1/n8n/triggers/new-keyword/subscriptions/sub_1');
  assert.doesNotMatch(JSON.stringify(production), /sk_live|whsec/);
});

test('a subscription of another key is ended and made again', async () => {
  const context = contextOf({ credentials: changed, kept: { production: await oldOne() }, answers: [deleted] });
  assert.equal(await hooks.checkExists.call(context), false);
  assert.deepEqual(context.asked.map(gone), [ended]);
  assert.equal(context.kept.production, undefined);
});

test('a subscription at a connector that is gone keeps no workflow from being switched on', async () => {
  const context = contextOf({ credentials: { ...entered, baseUrl: 'https://new.example.com' }, kept: { production: await oldOne() }, answers: [new Error('refused')] });
  assert.equal(await hooks.checkExists.call(context), false);
});

test('a subscription is ended where it was made', async () => {
  const context = contextOf({ credentials: { ...changed, baseUrl: 'https://new.example.com' }, kept: { production: await oldOne() }, answers: [deleted] });
  assert.equal(await hooks.delete.call(context), true);
  assert.deepEqual(context.asked.map(gone), [ended]);
});

// A delivery as the connector signs it now.
const deliver = async ({ signedWith = key, credentials, production, answers = [], mode }) => {
  const raw = JSON.stringify({ type: 'new-keyword', subscriptionId: production.id, events: [{ id: 'evt_1' }] });
  const response = { status(code) { this.code = code; return this; }, json() {} };
  const headers = sign(signedWith, production.id, raw, { seconds: Math.floor(Date.now() / 1000) });
  const context = contextOf({
    credentials, kept: { production }, answers, mode,
    getRequestObject: () => ({ headers, rawBody: Buffer.from(raw) }), getResponseObject: () => response, getBodyData: () => JSON.parse(raw),
  });
  const result = await new SokeTrigger().webhook.call(context);
  return { ...context, result, code: response.code };
};

test('after the key was changed the first delivery makes the trigger subscribe with the new one', async () => {
  const { asked, kept, code, result } = await deliver({ credentials: changed, production: await oldOne(), answers: [made('sub_new'), deleted] });
  assert.deepEqual([code, result], [401, { noWebhookResponse: true }]);
  assert.deepEqual([asked[0].method, asked[0].body.targetUrl, asked[0].authenticated], ['POST', url, true]);
  assert.deepEqual(gone(asked[1]), ended);
  assert.deepEqual([kept.production.id, kept.production.connection], ['sub_new', await fingerprintOf(changed)]);
});

test('a new key that is not accepted is told and ends nothing', async () => {
  const production = await oldOne();
  const answers = [refused({ message: 'Enter a valid Soke API key.' }, 401)];
  await assert.rejects(deliver({ credentials: changed, production, answers }), { message: 'Enter a valid Soke API key.' });
  assert.equal(production.id, 'sub_old');
});

test('a subscription that is the same with the new key is not ended', async () => {
  const { asked, kept } = await deliver({ credentials: changed, production: await oldOne(), answers: [made('sub_old', 200)] });
  assert.equal(asked.length, 1);
  assert.equal(kept.production.connection, await fingerprintOf(changed));
});

test('a key that was rotated took its subscription along', async () => {
  const { asked, kept, result } = await deliver({ signedWith: changed.apiKey, credentials: changed, production: await oldOne() });
  assert.deepEqual(result, { workflowData: [[{ json: { id: 'evt_1' } }]] });
  assert.deepEqual([asked.length, kept.production.connection], [0, await fingerprintOf(changed)]);
});

for (const [what, moved] of [['account', { accountId: 'acc_other' }], ['connector', { baseUrl: 'https://new.example.com' }]]) {
  test(`another ${what} with the same key makes the trigger subscribe there, and loses no delivery`, async () => {
    const credentials = { ...entered, ...moved };
    const { asked, kept, result } = await deliver({ credentials, production: await oldOne(), answers: [made('sub_new'), deleted] });
    assert.deepEqual(result, { workflowData: [[{ json: { id: 'evt_1' } }]] });
    assert.equal(asked[0].method, 'POST');
    assert.deepEqual(gone(asked[1]), ended);
    assert.deepEqual([kept.production.id, kept.production.connection], ['sub_new', await fingerprintOf(credentials)]);
  });
}

test('a former subscription that cannot be ended does not hide the new one', async () => {
  const { kept, code } = await deliver({ credentials: changed, production: await oldOne(), answers: [made('sub_new'), new Error('refused')] });
  assert.deepEqual([kept.production.id, code], ['sub_new', 401]);
});

test('a forged delivery makes the trigger do nothing', async () => {
  const { asked, code } = await deliver({ signedWith: 'sk_live_forged_01', credentials: entered, production: await oldOne() });
  assert.deepEqual([asked.length, code], [0, 401]);
});

test('a delivery is verified whatever came along with the pasted key', async () => {
  const { result } = await deliver({ credentials: { ...entered, apiKey: ` ${key}\u200b\n` }, production: await oldOne() });
  assert.deepEqual(result, { workflowData: [[{ json: { id: 'evt_1' } }]] });
});
