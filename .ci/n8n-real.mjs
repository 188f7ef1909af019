// Runs the exported package in a real n8n: its actions by `n8n execute`, a lost answer that must not
// be paid twice, the test of its credential, its triggers by published workflows, a subscription
// that was left behind, a paused watch as its user sees it; and takes the picture of the node if asked.
// Called by .ci/n8n-real, which says what it needs.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { relay } from './n8n-relay.mjs';

const { N8N_DIR, WORK, PACKAGE, CONNECTOR, PICTURE, PLAYWRIGHT } = process.env;
const n8n = path.join(N8N_DIR, 'node_modules/n8n/bin/n8n');
const freePort = () =>
  new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
const [port, broker] = [await freePort(), await freePort()];
const base = `http://127.0.0.1:${port}`;
const modules = fs
  .readFileSync(path.join(N8N_DIR, 'node_modules/@n8n/backend-common/dist/modules/modules.config.js'), 'utf8')
  .match(/MODULE_NAMES = \[([\s\S]*?)\]/)[1];
const off = ['mcp-registry', 'instance-ai', 'agents', 'chat-hub', 'mcp', 'insights'].filter((m) => modules.includes(`'${m}'`));
const env = {
  ...process.env, N8N_USER_FOLDER: WORK, N8N_ENCRYPTION_KEY: 'only-for-this-run', DB_TYPE: 'sqlite',
  N8N_HOST: '127.0.0.1', N8N_LISTEN_ADDRESS: '127.0.0.1', N8N_PORT: String(port), N8N_SECURE_COOKIE: 'false', WEBHOOK_URL: `${base}/`,
  N8N_RUNNERS_BROKER_PORT: String(broker), N8N_DIAGNOSTICS_ENABLED: 'false', N8N_VERSION_NOTIFICATIONS_ENABLED: 'false',
  N8N_VERSION_NOTIFICATIONS_WHATS_NEW_ENABLED: 'false', N8N_DYNAMIC_BANNERS_ENABLED: 'false', N8N_TEMPLATES_ENABLED: 'false',
  N8N_PERSONALIZATION_ENABLED: 'false', N8N_HIRING_BANNER_ENABLED: 'false', N8N_VERIFIED_PACKAGES_ENABLED: 'false',
  N8N_UNVERIFIED_PACKAGES_ENABLED: 'true', N8N_LICENSE_AUTO_RENEW_ENABLED: 'false', N8N_DISABLED_MODULES: off.join(','),
};
const cli = (...args) =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, ['--no-warnings', n8n, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    let stdout = '';
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.on('close', (status) => resolve({ status, stdout }));
  });
const between = await relay(CONNECTOR);
const until = async (what, look, seconds = 130) => {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await new Promise((r) => setTimeout(r, 200))) {
    const found = await look().catch(() => undefined);
    if (found) return found;
  }
  throw new Error(`waited ${seconds} s for ${what}`);
};

// The package, as n8n's own installer puts it.
const nodes = path.join(WORK, '.n8n/nodes');
fs.mkdirSync(nodes, { recursive: true });
fs.writeFileSync(path.join(nodes, 'package.json'), '{"name":"installed-nodes","private":true}');
const installed = spawnSync('npm', ['install', '--ignore-scripts', '--legacy-peer-deps', '--no-audit', '--no-fund', '--install-links', PACKAGE], { cwd: nodes, encoding: 'utf8' });
assert.equal(installed.status, 0, installed.stderr);

const credential = (id, apiKey) => ({ id, name: `Soke ${id}`, type: 'sokeApi', data: { apiKey, accountId: '', baseUrl: between.url } });
const KEYS = { good: 'sk_live_sandbox_active', expired: 'sk_live_sandbox_expired', poor: 'sk_live_sandbox_nocredits' };
fs.writeFileSync(path.join(WORK, 'credentials.json'), JSON.stringify([
  ...Object.entries(KEYS).map(([id, key]) => credential(id, key)),
  { id: 'header', name: 'Soke header', type: 'httpHeaderAuth', data: { name: 'X-Soke-Key', value: KEYS.good } },
]));
assert.equal((await cli('import:credentials', `--input=${WORK}/credentials.json`)).status, 0);

const manual = { name: 'Start', type: 'n8n-nodes-base.manualTrigger', parameters: {} };
const examples = fs.readdirSync(path.join(PACKAGE, 'examples')).map((file) => {
  const id = path.basename(file, '.json');
  const example = JSON.parse(fs.readFileSync(path.join(PACKAGE, 'examples', file), 'utf8'));
  for (const step of example.nodes) {
    if (step.type.endsWith('scheduleTrigger')) step.type = manual.type; // `n8n execute` starts there only
    if (step.type.endsWith('httpRequest')) step.credentials = { httpHeaderAuth: { id: 'header', name: 'Soke header' } };
  }
  return { ...example, id, active: false };
});
const action = (key, parameters) => ({ name: 'Soke', type: 'n8n-nodes-soke.soke', parameters, credentials: { sokeApi: { id: key, name: `Soke ${key}` } } });
const trigger = (key, parameters) => ({
  name: 'Soke Trigger', type: 'n8n-nodes-soke.sokeTrigger', parameters, webhookId: crypto.randomUUID(),
  credentials: { sokeApi: { id: key, name: `Soke ${key}` } },
});
const polling = (key, parameters) => ({
  name: 'Soke Polling Trigger', type: 'n8n-nodes-soke.sokePollingTrigger',
  parameters: { ...parameters, pollTimes: { item: [{ mode: 'everyMinute' }] } },
  credentials: { sokeApi: { id: key, name: `Soke ${key}` } },
});
const workflow = (id, ...steps) => ({
  id, name: id, active: false, settings: { executionOrder: 'v1' }, pinData: {},
  nodes: steps.map((step, i) => ({ id: crypto.randomUUID(), typeVersion: 1, position: [i * 220, 0], ...step })),
  connections: Object.fromEntries(steps.slice(1).map((step, i) => [steps[i].name, { main: [[{ node: step.name, type: 'main', index: 0 }]] }])),
});
const research = { resource: 'keyword', operation: 'research-keywords', topic: 'home espresso', maxResults: 5 };
const chat = { resource: 'chat', operation: 'chat-completion', input: 'prompt', prompt: 'Three titles' };
const watch = { event: 'new-keyword', topic: 'home espresso', schedule: '@every 1s' };
const after = { name: 'After', type: 'n8n-nodes-base.noOp', parameters: {} };
fs.writeFileSync(path.join(WORK, 'workflows.json'), JSON.stringify([
  workflow('research', manual, action('good', research)),
  workflow('split', manual, action('good', { ...research, split: true })),
  workflow('chat', manual, action('good', chat)),
  workflow('expired', manual, action('expired', research)),
  workflow('lost', manual, { ...action('good', research), retryOnFail: true, maxTries: 2, waitBetweenTries: 100 }),
  workflow('items', manual, action('good', { ...research, split: true, maxResults: 3 }), { ...action('good', chat), name: 'Ask' }),
  workflow('news', trigger('good', watch), after),
  workflow('polled', polling('good', { ...watch, topic: 'pour over' }), after),
  workflow('paused', trigger('poor', { ...watch, topic: 'cold brew' }), after),
  ...examples,
]));
assert.equal((await cli('import:workflow', `--input=${WORK}/workflows.json`)).status, 0);

const execute = async (id) => {
  const { stdout } = await cli('execute', `--id=${id}`, '--rawOutput');
  assert.match(stdout, /\{\n  "data"/, `${id}: ${stdout}`);
  const { resultData } = JSON.parse(stdout.slice(stdout.indexOf('{\n  "data"'), stdout.lastIndexOf('\n}') + 2)).data;
  const itemsOf = (node) => resultData.runData[node]?.[0]?.data?.main?.[0] ?? [];
  return { items: itemsOf('Soke'), itemsOf, error: resultData.error };
};
assert.equal((await execute('research')).items[0].json.keywords.length, 5);
assert.equal((await execute('split')).items.length, 5);
assert.ok((await execute('chat')).items[0].json.content);
const { error } = await execute('expired');
assert.match(error.message, /subscription required/i);
assert.match(error.description, /Renew your Soke subscription/);
console.log('ok actions and their errors');

// Calls that the relay has seen since the last look.
const since = async (work) => {
  const first = between.calls.length;
  const result = await work();
  return { result, calls: between.calls.slice(first) };
};
between.breaks = (call) => (between.calls.filter((c) => c.idempotencyKey === call.idempotencyKey).length === 1 ? 'lose' : undefined);
const lost = await since(() => execute('lost'));
between.breaks = () => undefined;
assert.equal(lost.result.items[0]?.json.keywords.length, 5);
assert.deepEqual(lost.calls.map((c) => [c.status, c.replayed]), [[200, false], [200, true]]);
const items = await since(() => execute('items'));
assert.equal(new Set(items.calls.map((c) => c.idempotencyKey)).size, 4, 'every item is a call of its own');
console.log('ok a lost answer is not paid twice');

assert.equal((await execute('research-without-the-node')).itemsOf('Research keywords')[0].json.keywords.length, 10);
const watched = await execute('watch-without-the-node');
assert.equal(watched.error, undefined);
assert.ok(watched.itemsOf('One by one').length > 0);
assert.ok(watched.itemsOf('One by one').every(({ json }) => json.baseline));
assert.equal(watched.itemsOf('Only news').length, 0, 'a new watch has no news yet');
console.log('ok the examples that need no node');

const server = spawn(process.execPath, ['--no-warnings', n8n, 'start'], { env, stdio: ['ignore', fs.openSync(path.join(WORK, 'n8n.log'), 'a'), 'inherit'] });
process.on('exit', () => server.kill('SIGKILL'));
await until('n8n', async () => (await fetch(`${base}/healthz/readiness`)).ok && (await fetch(`${base}/rest/settings`)).ok);
let cookie = '';
const rest = async (method, url, body) => {
  const answer = await fetch(base + url, { method, headers: { cookie, 'content-type': 'application/json', 'push-ref': 'real' }, body: body && JSON.stringify(body) });
  for (const c of answer.headers.getSetCookie()) if (c.startsWith('n8n-auth=')) cookie = c.split(';')[0];
  const { data, message } = await answer.json();
  assert.ok(answer.ok, `${method} ${url}: ${answer.status} ${message}`);
  return data;
};
const owner = { email: 'owner@example.com', firstName: 'O', lastName: 'W', password: 'Passw0rd-1' };
await rest('POST', '/rest/owner/setup', owner);
const executions = async (id) => (await rest('GET', `/rest/executions?filter=${encodeURIComponent(JSON.stringify({ workflowId: id }))}`)).results;
const publish = async (id) => rest('POST', `/rest/workflows/${id}/activate`, { versionId: (await rest('GET', `/rest/workflows/${id}`)).versionId });

const tested = async (id, accountId = '') => {
  const stored = credential(id, KEYS[id]);
  return (await rest('POST', '/rest/credentials/test', { credentials: { ...stored, data: { ...stored.data, accountId } } })).message;
};
assert.match(await tested('good'), /successful/);
assert.match(await tested('expired'), /Renew your Soke subscription/);
assert.match(await tested('good', 'acc_of_somebody_else'), /no such account/);
between.breaks = () => 'page';
assert.match(await tested('good'), /not a Soke connector/);
between.breaks = () => undefined;
console.log('ok the test of a credential');

const success = (id, mode) => until(`an execution of ${id}`, async () => (await executions(id)).find((e) => e.status === 'success' && e.mode === mode));
const deactivate = (id) => rest('POST', `/rest/workflows/${id}/deactivate`, {});
const onSubscriptions = (method, status) => (c) => c.method === method && c.status === status && c.path.includes('/subscriptions');
await publish('polled'); // n8n polls once a minute: it is looked at below
await publish('news');
await success('news', 'webhook');

// n8n goes off while the connector is away: the subscription is left behind. When the workflow is
// on again, with another topic, it must be renewed and not be taken for the new one.
between.breaks = (call) => (call.method === 'DELETE' ? 'refuse' : undefined);
await deactivate('news');
await until('n8n to give up', async () => between.calls.filter((c) => c.method === 'DELETE').length >= 3);
between.breaks = () => undefined;
const { nodes: steps, versionId } = await rest('GET', '/rest/workflows/news');
steps[0].parameters.topic = 'latte art';
await rest('PATCH', '/rest/workflows/news', { nodes: steps, versionId });
const again = await since(async () => {
  await publish('news');
  await until('the subscription to be renewed', async () => between.calls.find(onSubscriptions('POST', 200)));
});
assert.ok(again.calls.some(onSubscriptions('GET', 200)), 'the old subscription was still there');
await deactivate('news');
await until('the subscription to end', async () => between.calls.find(onSubscriptions('DELETE', 200)));
console.log('ok trigger');

await publish('paused');
const failed = await until('the run that tells of the pause', async () => (await executions('paused')).find((e) => e.status === 'error'));
const told = JSON.stringify(await rest('GET', `/rest/executions/${failed.id}`));
assert.match(told, /NodeApiError/);
assert.match(told, /Add credits or upgrade/);
await new Promise((r) => setTimeout(r, 8000)); // a receiver that refuses is asked again after five seconds
assert.equal((await executions('paused')).length, 1, 'the pause was told more than once');
assert.doesNotMatch(fs.readFileSync(path.join(WORK, 'n8n.log'), 'utf8'), /Cannot set headers|could not be started/);
console.log('ok a paused watch fails one run and says why');

await success('polled', 'trigger');
await deactivate('polled');
console.log('ok polling trigger');

if (PICTURE) await picture();
server.kill('SIGTERM');
process.exit(0);

// The node in the editor: its form, and below it an error as its user sees it.
async function picture() {
  const { chromium } = await import(path.join(PLAYWRIGHT, 'node_modules/playwright-core/index.mjs'));
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  const page = await browser.newPage({ viewport: { width: 1500, height: 950 } });
  await page.context().addCookies([{ name: 'n8n-auth', value: cookie.split('=')[1], url: base }]);
  for (const id of ['research', 'expired']) {
    await page.goto(`${base}/workflow/${id}`, { waitUntil: 'load' });
    const node = page.locator('[data-test-id="canvas-node"][data-node-name="Soke"]');
    await node.waitFor({ timeout: 60000 });
    await page.keyboard.press('Escape');
    if (id === 'expired') {
      await page.locator('[data-test-id="execute-workflow-button"]').first().click();
      await page.waitForTimeout(4000);
    }
    await node.dblclick();
    await page.waitForTimeout(2500);
    await page.screenshot({ path: PICTURE.replace(/(\.png)?$/, `-${id}.png`) });
  }
  await browser.close();
  console.log(`ok pictures at ${PICTURE}`);
}
