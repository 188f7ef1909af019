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
