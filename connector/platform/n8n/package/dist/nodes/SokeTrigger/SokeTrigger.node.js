"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.SokeTrigger = void 0;
const n8n_workflow_1 = require("n8n-workflow");
const connector_1 = require("../shared/connector");
const watch_1 = require("../shared/watch");
const signature_1 = require("./signature");
const slot = (webhookUrl) => (webhookUrl.includes('/webhook-test/') ? 'test' : 'production');
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
                    const path = `${watch_1.chosen.call(this).path}/subscriptions?targetUrl=${encodeURIComponent(url)}`;
                    const found = await connector_1.call.call(this, { method: 'GET', path, accept: [404] });
                    if (found.statusCode === 404)
                        return false;
                    const kept = this.getWorkflowStaticData('node');
                    const known = kept[slot(url)];
                    const { id } = found.body;
                    if ((known === null || known === void 0 ? void 0 : known.id) !== id)
                        kept[slot(url)] = { id };
                    return true;
                },
                async create() {
                    const url = this.getNodeWebhookUrl('default');
                    const { path, input } = watch_1.watch.call(this);
                    const body = { ...input, targetUrl: url, ...(slot(url) === 'test' ? { test: true } : {}) };
                    const made = await connector_1.call.call(this, { method: 'POST', path: `${path}/subscriptions`, body });
                    const { id, unsubscribeToken } = made.body;
                    this.getWorkflowStaticData('node')[slot(url)] = { id, unsubscribeToken };
                    return true;
                },
                async delete() {
                    const url = this.getNodeWebhookUrl('default');
                    const kept = this.getWorkflowStaticData('node');
                    const known = kept[slot(url)];
                    if (!known)
                        return true;
                    const path = `${watch_1.chosen.call(this).path}/subscriptions/${known.id}`;
                    if (known.unsubscribeToken) {
                        await this.helpers.httpRequest({
                            method: 'DELETE',
                            url: `${await connector_1.baseUrl.call(this)}/v1/n8n${path}`,
                            headers: { 'X-Unsubscribe-Token': known.unsubscribeToken },
                            json: true,
                        });
                    }
                    else {
                        await connector_1.call.call(this, { method: 'DELETE', path, accept: [404] });
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
        if (body.type === 'trigger.paused') {
            response.status(200).json({ received: true });
            throw (0, connector_1.apiError)(this.getNode(), body.error, { statusCode: 403, body });
        }
        const events = (Array.isArray(body.events) ? body.events : [body]);
        const items = events.map((json) => ({ json }));
        return { workflowData: [items] };
    }
}
exports.SokeTrigger = SokeTrigger;
