// The exported app against a connector on its sandbox. APP_DIR and CONNECTOR_URL say where both are.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { App, MakeError, raised } from './runtime.mjs';
import { Inbox } from './inbox.mjs';

const app = new App(process.env.APP_DIR, new URL(process.env.CONNECTOR_URL).origin);
const key = (name) => ({ apiKey: `sk_live_sandbox_${name}` });
const good = key('active');
const modules = (type) => Object.values(app.module).filter((m) => m.moduleType === type);
const [connection] = Object.values(app.connection);

// What the catalogue gives as an example of each input, so that an action that is added needs nothing here.
const catalogue = await (await fetch(new URL('/v1/make/catalog', process.env.CONNECTOR_URL))).json();
const examples = Object.fromEntries(
    catalogue.actions.flatMap((a) => Object.entries(a.input.properties)).map(([name, field]) => [name, field.examples?.[0]]),
);

/** Fills a form as a user does who leaves every default alone, and what may be empty empty. */
function filled(form, own = {}) {
    const answers = { topic: 'home espresso', prompt: 'Give me a title.', schedule: '@every 1s', ...own };
    const answer = (p) => answers[p.name] ?? p.default ?? (p.required ? examples[p.name] : undefined);
    return Object.fromEntries(form.map((p) => [p.name, answer(p)]).filter(([, v]) => v !== undefined));
}

function assertInInterface(bundle, fields, at = 'the bundle') {
    const byName = Object.fromEntries(fields.map((f) => [f.name, f]));
    for (const [name, value] of Object.entries(bundle)) {
        const f = byName[name];
        assert.ok(f, `${at} has ${name}, which the interface lacks`);
        if (value === null || f.type === 'any') continue;
        const type = { text: 'string', date: 'string', number: 'number', integer: 'number', uinteger: 'number', boolean: 'boolean', array: 'object', collection: 'object' }[f.type];
        assert.equal(typeof value, type, `${at}.${name}`);
        if (f.type === 'collection' && f.spec) assertInInterface(value, f.spec, `${at}.${name}`);
        if (f.type === 'array' && Array.isArray(f.spec)) value.forEach((v) => assertInInterface(v, f.spec, `${at}.${name}[]`));
    }
}

const raises = (type, more = () => true) => (e) => {
    assert.ok(e instanceof MakeError, String(e.stack));
    assert.equal(e.type, type, e.message);
    return more(e);
};

let inbox;
before(async () => { inbox = await Inbox.open(); });
after(() => inbox.close());

test('the connection shows whose it is and refuses a wrong key', async () => {
    const step = connection.communication;
    const scope = await app.send(step, { parameters: good });
    assert.match(`${scope.body.label}`, /^Soke /);
    await assert.rejects(app.send(step, { parameters: key('revoked') }), raises('InvalidAccessTokenError'));
});

for (const m of modules('action')) {
    test(`${m.id} puts out one bundle as its interface says`, async () => {
        const bundles = await app.run(m, good, filled(m.mappableParams));
        assert.equal(bundles.length, 1);
        assertInInterface(bundles[0], m.interface);
    });

    test(`${m.id} with an idempotency key is paid once`, async () => {
        const parameters = filled(m.mappableParams, { idempotencyKey: `proof-${m.id}-${process.pid}` });
        const [first] = await app.run(m, good, parameters);
        const [second] = await app.run(m, good, parameters);
        assert.deepEqual(second, first);
    });

    test(`${m.id} takes any text for an idempotency key, and none as none`, async () => {
        for (const idempotencyKey of [`Caf\u00e9 ${m.id} ${process.pid}`, 17, '\u00fc'.repeat(255)]) {
            const parameters = filled(m.mappableParams, { idempotencyKey });
            const [first] = await app.run(m, good, parameters);
            const [second] = await app.run(m, good, parameters);
            assert.deepEqual(second, first);
        }
        for (const idempotencyKey of [undefined, '']) {
            const [first] = await app.run(m, good, filled(m.mappableParams, { idempotencyKey }));
            const [second] = await app.run(m, good, filled(m.mappableParams, { idempotencyKey }));
            assert.notEqual(second.requestId, first.requestId);
        }
    });
}

for (const m of modules('search')) {
    test(`${m.id} puts out as many bundles as its limit, and all without one`, async () => {
        const three = await app.run(m, good, filled(m.mappableParams, { limit: 3 }));
        assert.equal(three.length, 3);
        three.forEach((b) => assertInInterface(b, m.interface));
        const { limit, ...rest } = filled(m.mappableParams);
        assert.ok((await app.run(m, good, rest)).length > limit);
        assert.ok((await app.run(m, good, { ...rest, limit: 1000 })).length > limit);
    });
}

test('every refusal is raised as the class that the connector says', async () => {
    const [m] = modules('action');
    for (const [name, type] of Object.entries({
        expired: 'InvalidConfigurationError', revoked: 'InvalidAccessTokenError', nocredits: 'RuntimeError', forbidden: 'InvalidConfigurationError', broken: 'ConnectionError',
    })) {
        await assert.rejects(app.run(m, key(name), filled(m.mappableParams)), raises(type, (e) => /^\[\d{3}\] .+\(request [\w-]+\)$/.test(e.message)));
    }
    await assert.rejects(app.run(m, good, { ...filled(m.mappableParams), platform: 'x'.repeat(51) }), raises('DataError'));
});

test('a page of some proxy switches no scenario off', () => {
    for (const [statusCode, type] of [[401, 'RuntimeError'], [403, 'RuntimeError'], [404, 'DataError'], [418, 'RuntimeError'], [502, 'ConnectionError'], [599, 'ConnectionError']]) {
        const e = raised(app.base.response.error, { statusCode, headers: {}, body: '<html>no</html>' });
        assert.equal(e.type, type, `${statusCode}`);
        assert.doesNotMatch(e.message, /undefined|html/);
    }
});

test('the universal module sends the key to the connector alone', async () => {
    const [m] = modules('universal');
    const [made] = await app.run(m, good, { url: '/research/keywords', method: 'POST', body: '{"topic":"go"}', qs: [{ key: 'a', value: 'b' }] });
    assert.equal(made.statusCode, 200);
    assertInInterface(made, m.interface);
    for (const url of ['https://example.com/', '//example.com/', '@example.com', 'auth/login']) {
        await assert.rejects(app.run(m, good, { url, method: 'GET' }), raises('DataError'), url);
    }
});

// Triggers wait for runs of their watches, so they wait together.
describe('triggers', { concurrency: true }, () => {
    for (const m of modules('trigger')) {
        test(`${m.id} puts out every event once, and none from before now`, async () => {
            const parameters = filled(m.staticParams, { topic: `polled by ${m.id}`, limit: 7 });
            const state = { ids: [], lastDate: new Date(0).toISOString() }; // "All" under "Choose where to start"
            const seen = [];
            // The watch runs every second; the first bundles may take a few of its runs.
            for (const until = Date.now() + 30_000; seen.length < 10 && Date.now() < until; ) {
                const bundles = await app.poll(inPagesOf(5, m), good, parameters, state);
                bundles.forEach((b) => assertInInterface(b, m.interface));
                seen.push(...bundles.map((b) => b.id));
                if (!bundles.length) await anotherRun();
            }
            assert.ok(seen.length >= 10, `${seen.length} events`);
            assert.equal(new Set(seen).size, seen.length, 'an event came twice');
            const all = (await app.run(m, good, parameters, { data: { lastDate: new Date(0) } })).map((b) => b.id);
            assert.deepEqual(seen, all.slice(0, seen.length), 'an event is missing');
            assert.deepEqual(await app.poll(m, good, parameters, { ids: [], lastDate: new Date(Date.now() + 60_000).toISOString() }), []);
            const choices = await app.run(m, good, parameters, { override: m.epoch });
            choices.forEach((c) => assert.ok(c.label && Date.parse(c.date), JSON.stringify(c)));
            assert.ok(choices[0].date >= choices.at(-1).date, 'the newest stands first');
        });
    }

    for (const m of modules('trigger')) {
        test(`${m.id} from now on leaves out what was there before`, async () => {
            const parameters = filled(m.staticParams, { topic: `from now on ${m.id}`, limit: 7 });
            const state = { ids: [], lastDate: new Date().toISOString() }; // the watch is made after this
            assert.deepEqual(await app.poll(m, good, parameters, state), []);
            const seen = [];
            for (const until = Date.now() + 30_000; seen.length < 3 && Date.now() < until; ) {
                const bundles = await app.poll(m, good, parameters, state);
                seen.push(...bundles);
                if (!bundles.length) await anotherRun();
            }
            assert.ok(seen.length >= 3, `${seen.length} events`);
            assert.deepEqual(seen.filter((b) => b.baseline), []);
        });
    }

    for (const m of modules('instant_trigger')) {
        const hook = app.webhook[m.webhook];
        test(`${m.id} receives events while its webhook is there, and none after`, async () => {
            const name = `${m.id}-${process.pid}`;
            const parameters = filled(hook.params, { topic: 'pushed' });
            const target = { webhook: { url: inbox.url(name) }, connection: good, parameters };
            const made = await app.send(hook.attach, target);
            const saved = { ...target.webhook, subscriptionId: made.body.id, unsubscribeToken: made.body.unsubscribeToken };

            const renewed = await app.send(hook.update, target);
            assert.deepEqual([renewed.statusCode, renewed.body.id], [200, made.body.id], 'changed settings are the same subscription');

            const [delivery] = await inbox.until(name, 1);
            const bundles = app.receive(hook, m, delivery);
            assert.ok(bundles.length > 0);
            bundles.forEach((b) => assertInInterface(b, m.interface));

            // The key has been revoked since: the token that the webhook keeps is enough.
            const detach = { webhook: saved, connection: key('revoked'), parameters };
            await app.send(hook.detach, detach);
            await app.send(hook.detach, detach);

            // Another subscription of the same watch goes on and tells when runs have passed.
            const [silent, witness] = [inbox.received(name).length, `witness-${name}`];
            const watching = Object.values(app.webhook).find((w) => w.id === 'researchCompleted') ?? hook;
            const other = await app.send(watching.attach, { ...target, webhook: { url: inbox.url(witness) }, parameters: filled(watching.params, { topic: 'pushed' }) });
            await inbox.until(witness, 2);
            await app.send(watching.detach, { ...target, webhook: { subscriptionId: other.body.id, unsubscribeToken: other.body.unsubscribeToken } });
            assert.ok(inbox.received(name).length <= silent + 1, 'more than what was on its way');
        });

        test(`${m.id} raises why its watch is paused`, () => {
            const error = { code: 'SUBSCRIPTION_REQUIRED', type: 'InvalidConfigurationError', message: 'Renew your Soke subscription.' };
            const body = { type: 'trigger.paused', subscriptionId: 'sub_1', watchId: 'wch_1', error, events: [] };
            assert.throws(() => app.receive(hook, m, body), raises(error.type, (e) => e.message === error.message));
        });

        test(`${m.id} refuses a wrong key when the webhook is added`, async () => {
            const target = { webhook: { url: inbox.url('never') }, connection: key('expired'), parameters: filled(hook.params) };
            await assert.rejects(app.send(hook.attach, target), raises('InvalidConfigurationError'));
        });
    }
});

test('no log shows a key, a token or a signing secret', async () => {
    assert.ok(app.log.length > 20, 'this test reads what the others logged');
    for (const line of app.log) assert.doesNotMatch(line, /sk_live_|whsec_|"unsubscribeToken":"(?!\.\.\.)/);
});

/** A polling trigger that reads pages of another size, so that few events fill several. */
function inPagesOf(limit, m) {
    return { ...m, communication: { ...m.communication, body: { ...m.communication.body, limit } } };
}

/** Waits for the next research of a watch of its own. */
async function anotherRun() {
    const name = `clock-${++clocks}`;
    const watching = app.webhook.researchCompleted;
    const made = await app.send(watching.attach, { webhook: { url: inbox.url(name) }, connection: good, parameters: filled(watching.params, { topic: 'clock' }) });
    await inbox.until(name, 1);
    await app.send(watching.detach, { webhook: { subscriptionId: made.body.id, unsubscribeToken: made.body.unsubscribeToken }, connection: good });
}
let clocks = 0;
