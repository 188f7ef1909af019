'use strict';

// Unit tests of what is compiled; the nodes themselves run in a real n8n (.ci/n8n-real of the
// connector's repository).
const assert = require('node:assert/strict');
const { createHmac } = require('node:crypto');
const { test } = require('node:test');
const { isSigned } = require('../dist/nodes/SokeTrigger/signature.js');
const { form, input, merge, simplified } = require('../dist/nodes/shared/properties.js');
const { actions, triggers } = require('../dist/nodes/shared/catalogue.js');

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
