"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.SokePollingTrigger = void 0;
const n8n_workflow_1 = require("n8n-workflow");
const connector_1 = require("../shared/connector");
const credential_1 = require("../shared/credential");
const watch_1 = require("../shared/watch");
class SokePollingTrigger {
    constructor() {
        this.description = {
            displayName: 'Soke Polling Trigger',
            name: 'sokePollingTrigger',
            icon: { light: 'file:../../icons/soke.svg', dark: 'file:../../icons/soke.dark.svg' },
            group: ['trigger'],
            version: 1,
            subtitle: '={{$parameter["event"]}}',
            description: 'Looks for news of a scheduled keyword research of Soke, for an n8n that no webhook can reach',
            defaults: { name: 'Soke Polling Trigger' },
            polling: true,
            inputs: [],
            outputs: [n8n_workflow_1.NodeConnectionTypes.Main],
            credentials: [{ name: 'sokeApi', required: true }],
            properties: (0, watch_1.eventProperties)(),
        };
    }
    async poll() {
        const { path, input } = watch_1.watch.call(this);
        if (this.getMode() === 'manual')
            return await examples.call(this, path, input);
        const kept = this.getWorkflowStaticData('node');
        const { fingerprint } = await credential_1.connection.call(this);
        const asked = JSON.stringify([path, input, fingerprint]);
        if (kept.asked !== asked) {
            Object.assign(kept, { asked, cursor: await newest.call(this, path, input) });
            return null;
        }
        const items = [];
        let cursor = kept.cursor;
        for (let more = true; more;) {
            const found = await page.call(this, path, { ...input, cursor });
            if (!found) {
                cursor = await newest.call(this, path, input);
                break;
            }
            items.push(...found.events.filter((event) => !event.baseline).map((json) => ({ json })));
            cursor = found.cursor;
            more = found.hasMore;
        }
        kept.cursor = cursor;
        return items.length > 0 ? [items] : null;
    }
}
exports.SokePollingTrigger = SokePollingTrigger;
async function page(path, body) {
    const accept = (status, failure) => status === 400 && (failure === null || failure === void 0 ? void 0 : failure.field) === 'cursor' && 'cursor' in body;
    const answer = await connector_1.call.call(this, { method: 'POST', path: `${path}/poll`, body, accept });
    return answer.statusCode === 400 ? undefined : answer.body;
}
async function newest(path, input) {
    var _a, _b;
    return (_b = (_a = (await page.call(this, path, { ...input, limit: 1 }))) === null || _a === void 0 ? void 0 : _a.cursor) !== null && _b !== void 0 ? _b : '';
}
async function examples(path, input) {
    var _a, _b;
    const events = (_b = (_a = (await page.call(this, path, { ...input, limit: 3 }))) === null || _a === void 0 ? void 0 : _a.events) !== null && _b !== void 0 ? _b : [];
    const shown = events.length > 0 ? events : (await connector_1.call.call(this, { method: 'GET', path: `${path}/sample` })).body;
    return [shown.map((json) => ({ json }))];
}
