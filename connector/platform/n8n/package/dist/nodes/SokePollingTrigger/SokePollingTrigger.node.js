"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.SokePollingTrigger = void 0;
const n8n_workflow_1 = require("n8n-workflow");
const connector_1 = require("../shared/connector");
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
        const asked = JSON.stringify([path, input]);
        if (kept.asked !== asked) {
            const { cursor } = await page.call(this, path, { ...input, limit: 1 });
            Object.assign(kept, { asked, cursor });
            return null;
        }
        const items = [];
        for (let more = true; more;) {
            const found = await page.call(this, path, { ...input, cursor: kept.cursor });
            items.push(...found.events.filter((event) => !event.baseline).map((json) => ({ json })));
            kept.cursor = found.cursor;
            more = found.hasMore;
        }
        return items.length > 0 ? [items] : null;
    }
}
exports.SokePollingTrigger = SokePollingTrigger;
async function page(path, body) {
    return (await connector_1.call.call(this, { method: 'POST', path: `${path}/poll`, body })).body;
}
async function examples(path, input) {
    const { events } = await page.call(this, path, { ...input, limit: 3 });
    const shown = events.length > 0 ? events : (await connector_1.call.call(this, { method: 'GET', path: `${path}/sample` })).body;
    return [shown.map((json) => ({ json }))];
}
