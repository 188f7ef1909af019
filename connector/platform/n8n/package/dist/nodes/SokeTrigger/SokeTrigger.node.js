"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.SokeTrigger = void 0;
const n8n_workflow_1 = require("n8n-workflow");
const connector_1 = require("../shared/connector");
const watch_1 = require("../shared/watch");
const signature_1 = require("./signature");
const PAUSED = 'trigger.paused';
const slot = (webhookUrl) => (webhookUrl.includes('/webhook-test/') ? 'test' : 'production');
async function find(url) {
    const path = `${watch_1.chosen.call(this).path}/subscriptions?targetUrl=${encodeURIComponent(url)}`;
    const found = await connector_1.call.call(this, { method: 'GET', path, accept: [404] });
    return found.statusCode === 404 ? undefined : found.body;
}
function isWell(found, known, asked) {
    if ((known === null || known === void 0 ? void 0 : known.id) !== found.id || known.asked !== asked)
        return false;
    return found.state !== 'ended' && found.reason !== 'TARGET_FAILING';
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
                    const { path, input } = watch_1.watch.call(this);
                    const found = await find.call(this, url);
                    const known = this.getWorkflowStaticData('node')[slot(url)];
                    return found !== undefined && isWell(found, known, JSON.stringify([path, input]));
                },
                async create() {
                    const url = this.getNodeWebhookUrl('default');
                    const { path, input } = watch_1.watch.call(this);
                    const test = slot(url) === 'test' || this.getMode() === 'manual';
                    const body = { ...input, targetUrl: url, ...(test ? { test } : {}) };
                    const made = await connector_1.call.call(this, { method: 'POST', path: `${path}/subscriptions`, body });
                    const { id, unsubscribeToken } = made.body;
                    const asked = JSON.stringify([path, input]);
                    this.getWorkflowStaticData('node')[slot(url)] = { id, unsubscribeToken, asked };
                    return true;
                },
                async delete() {
                    const url = this.getNodeWebhookUrl('default');
                    const path = `${watch_1.chosen.call(this).path}/subscriptions`;
                    const kept = this.getWorkflowStaticData('node');
                    const known = kept[slot(url)];
                    if (known) {
                        await this.helpers.httpRequest({
                            method: 'DELETE',
                            url: `${await connector_1.baseUrl.call(this)}/v1/n8n${path}/${known.id}`,
                            headers: { 'X-Unsubscribe-Token': known.unsubscribeToken },
                            json: true,
                        });
                    }
                    else {
                        const found = await find.call(this, url);
                        if (found)
                            await connector_1.call.call(this, { method: 'DELETE', path: `${path}/${found.id}`, accept: [404] });
                    }
                    delete kept[slot(url)];
                    return true;
                },
            },
        };
    }
    async webhook() {
        var _a, _b;
        const request = this.getRequestObject();
        const response = this.getResponseObject();
        const body = this.getBodyData();
        const kept = this.getWorkflowStaticData('node');
        const ids = [body.subscriptionId, (_a = kept.production) === null || _a === void 0 ? void 0 : _a.id, (_b = kept.test) === null || _b === void 0 ? void 0 : _b.id]
            .filter((id) => typeof id === 'string');
        const { apiKey } = await this.getCredentials('sokeApi');
        if (!(0, signature_1.isSigned)(String(apiKey), ids, request.headers, request.rawBody)) {
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
