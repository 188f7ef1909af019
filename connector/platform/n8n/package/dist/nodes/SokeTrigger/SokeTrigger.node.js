"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.SokeTrigger = void 0;
const n8n_workflow_1 = require("n8n-workflow");
const connector_1 = require("../shared/connector");
const credential_1 = require("../shared/credential");
const watch_1 = require("../shared/watch");
const signature_1 = require("./signature");
const PAUSED = 'trigger.paused';
const slot = (webhookUrl) => (webhookUrl.includes('/webhook-test/') ? 'test' : 'production');
const isNotFound = (status) => status === 404;
async function find(url) {
    const path = `${watch_1.chosen.call(this).path}/subscriptions?targetUrl=${encodeURIComponent(url)}`;
    const found = await connector_1.call.call(this, { method: 'GET', path, accept: isNotFound });
    return found.statusCode === 404 ? undefined : found.body;
}
function isWell(found, known, asked) {
    if ((known === null || known === void 0 ? void 0 : known.id) !== found.id || known.asked !== asked)
        return false;
    return found.state !== 'ended' && found.reason !== 'TARGET_FAILING';
}
async function subscribe(targetUrl, test = false) {
    const { path, input } = watch_1.watch.call(this);
    const { url, fingerprint, home } = await credential_1.connection.call(this);
    const body = { ...input, targetUrl, ...(test ? { test } : {}) };
    const made = await connector_1.call.call(this, { method: 'POST', path: `${path}/subscriptions`, body });
    const { id, unsubscribeToken } = made.body;
    const at = `${url}/v1/n8n${path}/subscriptions/${id}`;
    return { id, unsubscribeToken, url: at, asked: JSON.stringify([path, input]), connection: fingerprint, home };
}
async function unsubscribe(known) {
    var _a;
    const { url } = await credential_1.connection.call(this);
    const at = (_a = known.url) !== null && _a !== void 0 ? _a : `${url}/v1/n8n${watch_1.chosen.call(this).path}/subscriptions/${known.id}`;
    await connector_1.end.call(this, at, known.unsubscribeToken);
}
async function leave(known) {
    try {
        await unsubscribe.call(this, known);
    }
    catch (error) {
        this.logger.warn(`The former subscription ${known.id} could not be ended: ${error.message}`);
    }
}
class SokeTrigger {
    constructor() {
        this.description = {
            displayName: 'Soke Trigger',
            name: 'sokeTrigger',
            icon: { light: 'file:../../icons/soke.svg', dark: 'file:../../icons/soke.dark.svg' },
            group: ['trigger'],
            version: 1,
            subtitle: '={{$parameter["event"]}}',
            description: 'Starts the workflow when a scheduled keyword research of Soke finds something new',
            defaults: { name: 'Soke Trigger' },
            inputs: [],
            outputs: [n8n_workflow_1.NodeConnectionTypes.Main],
            credentials: [{ name: 'sokeApi', required: true }],
            webhooks: [{ name: 'default', httpMethod: 'POST', responseMode: 'onReceived', path: 'webhook' }],
            properties: (0, watch_1.eventProperties)(),
        };
        this.webhookMethods = {
            default: {
                async checkExists() {
                    const url = this.getNodeWebhookUrl('default');
                    const kept = this.getWorkflowStaticData('node');
                    const known = kept[slot(url)];
                    const { fingerprint } = await credential_1.connection.call(this);
                    if ((known === null || known === void 0 ? void 0 : known.connection) && known.connection !== fingerprint) {
                        await leave.call(this, known);
                        delete kept[slot(url)];
                        return false;
                    }
                    const { path, input } = watch_1.watch.call(this);
                    const found = await find.call(this, url);
                    return found !== undefined && isWell(found, known, JSON.stringify([path, input]));
                },
                async create() {
                    const url = this.getNodeWebhookUrl('default');
                    const test = slot(url) === 'test' || this.getMode() === 'manual';
                    const made = await subscribe.call(this, url, test);
                    this.getWorkflowStaticData('node')[slot(url)] = { ...made };
                    return true;
                },
                async delete() {
                    const url = this.getNodeWebhookUrl('default');
                    const path = `${watch_1.chosen.call(this).path}/subscriptions`;
                    const kept = this.getWorkflowStaticData('node');
                    const known = kept[slot(url)];
                    if (known) {
                        await unsubscribe.call(this, known);
                    }
                    else {
                        const found = await find.call(this, url);
                        if (found)
                            await connector_1.call.call(this, { method: 'DELETE', path: `${path}/${found.id}`, accept: isNotFound });
                    }
                    delete kept[slot(url)];
                    return true;
                },
            },
        };
    }
    async webhook() {
        var _a;
        const request = this.getRequestObject();
        const response = this.getResponseObject();
        const body = this.getBodyData();
        const kept = this.getWorkflowStaticData('node');
        const known = kept.production;
        const ids = [body.subscriptionId, known === null || known === void 0 ? void 0 : known.id, (_a = kept.test) === null || _a === void 0 ? void 0 : _a.id]
            .filter((id) => typeof id === 'string');
        const { apiKey, fingerprint, home } = await credential_1.connection.call(this);
        const signed = (0, signature_1.isSigned)(apiKey, ids, request.headers, request.rawBody);
        if (known && known.connection !== fingerprint && this.getMode() !== 'manual') {
            if (signed && known.id === body.subscriptionId && known.home === home) {
                kept.production = { ...known, connection: fingerprint };
            }
            else {
                const made = await subscribe.call(this, this.getNodeWebhookUrl('default'));
                kept.production = { ...made };
                if (made.id !== known.id)
                    await leave.call(this, known);
            }
        }
        if (!signed) {
            response.status(401).json({ error: 'The signature does not fit the key of this credential.' });
            return { noWebhookResponse: true };
        }
        if (body.type === PAUSED)
            return { workflowData: [[{ json: body }]] };
        const events = (Array.isArray(body.events) ? body.events : [body]);
        return { workflowData: [events.map((json) => ({ json }))] };
    }
    async execute() {
        var _a;
        const items = this.getInputData();
        const told = (_a = items.find(({ json }) => json.type === PAUSED)) === null || _a === void 0 ? void 0 : _a.json;
        if (told)
            throw (0, connector_1.apiError)(this.getNode(), told.error, { body: told });
        return [items];
    }
}
exports.SokeTrigger = SokeTrigger;
