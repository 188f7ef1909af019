// How Make runs an app: its requests, its errors, its memory of what a trigger has put out.
import fs from 'node:fs';
import path from 'node:path';
import { render } from './iml.mjs';

/** What a module raises in a scenario. */
export class MakeError extends Error {
    constructor(type, message) { super(message); this.type = type; }
}

/** An app as makecomapp.json lists it. Calls to its own address go to the connector instead. */
export class App {
    constructor(directory, connector) {
        const read = (file) => JSON.parse(fs.readFileSync(path.join(directory, file), 'utf8'));
        const manifest = read('makecomapp.json');
        this.base = read(manifest.generalCodeFiles.base);
        this.address = new URL(this.base.baseUrl).origin;
        this.connector = connector;
        this.log = [];
        for (const [kind, components] of Object.entries(manifest.components)) {
            this[kind] = Object.fromEntries(Object.entries(components).map(([id, c]) => [id, {
                id, ...c, ...Object.fromEntries(Object.entries(c.codeFiles).map(([code, file]) => [code, read(file)])),
            }]));
        }
    }

    /** Modules and RPCs inherit the base; connections and webhooks do not. */
    inherited(step) {
        return {
            ...step,
            url: step.url && this.base.baseUrl + step.url,
            headers: { ...this.base.headers, ...step.headers },
            response: { ...this.base.response, ...step.response },
            log: { sanitize: [...this.base.log.sanitize, ...(step.log?.sanitize ?? [])] },
        };
    }

    /** Sends a step and returns the scope of its response. */
    async send(step, scope) {
        const url = new URL(render(step.url, scope).replace(this.address, this.connector));
        if (url.origin !== this.connector) throw new Error(`${url.origin} is not the connector`);
        for (const [name, value] of Object.entries(render(step.qs ?? {}, scope))) url.searchParams.set(name, value);
        const method = render(step.method, scope);
        const headers = render(step.headers, scope);
        const body = method === 'GET' || step.body === undefined ? undefined : render(step.body, scope);
        if (typeof body === 'object') headers['content-type'] = 'application/json';
        const answer = await fetch(url, { method, headers, body: typeof body === 'object' ? JSON.stringify(body) : body });
        const got = { statusCode: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.text() };
        if (got.headers['content-type']?.includes('json')) got.body = JSON.parse(got.body);
        this.log.push(sanitized({ request: { url: url.href, headers, body }, response: { body: got.body } }, step.log?.sanitize ?? []));
        const after = { ...scope, ...got };
        if (answer.status >= 400) throw raised(step.response.error, after);
        return after;
    }

    /** Runs a module and returns its bundles. */
    async run(module, connection, parameters, { data = {}, override } = {}) {
        const own = override ? { ...module.communication, response: { ...module.communication.response, ...override.response } } : module.communication;
        const step = this.inherited(own);
        const bundles = [];
        let scope = { connection, parameters, data };
        for (let request = step, page = 1; request; page++) {
            if (page > 50) throw new Error('Make stops after 50 pages');
            scope = await this.send(request, scope);
            bundles.push(...shaped(step.response, scope));
            const more = step.pagination && render(step.pagination.condition, scope);
            request = more && { ...step, body: { ...render(step.body, scope), ...render(step.pagination.body, scope) } };
        }
        const limit = step.response.trigger ? undefined : render(step.response.limit, scope);
        return bundles.slice(0, limit ?? bundles.length);
    }

    /** Runs a polling trigger: what it puts out is new to state, oldest first, limit at most. */
    async poll(module, connection, parameters, state) {
        const { trigger, limit } = module.communication.response;
        const all = await this.run(module, connection, parameters, { data: { lastDate: state.lastDate && new Date(state.lastDate) } });
        const items = all.map((item) => ({ item, id: render(trigger.id, { item }), date: Date.parse(render(trigger.date, { item })) }));
        items.forEach((x, i) => { if (i && x.date < items[i - 1].date) throw new Error('the order is not ascending: Make would skip or repeat'); });
        const last = state.lastDate ? Date.parse(state.lastDate) : -Infinity;
        const fresh = items.filter((x) => x.date > last || (x.date === last && !state.ids.includes(x.id))).slice(0, render(limit, { parameters }));
        for (const x of fresh) {
            const date = new Date(x.date).toISOString();
            state.ids = state.lastDate === date ? [...state.ids, x.id] : [x.id];
            state.lastDate = date;
        }
        return fresh.map((x) => x.item);
    }

    /** What a delivery to a webhook becomes in the scenario: the webhook reads it, the module passes it on. */
    receive(webhook, module, body) {
        return shaped(webhook.communication, { body }).map((payload) => {
            const { valid, output } = module.communication.response;
            if (!render(valid.condition, { payload })) throw new MakeError(render(valid.type, { payload }), render(valid.message, { payload }));
            return render(output, { payload });
        });
    }
}

function shaped(response, scope) {
    if (response.iterate === undefined) return [render(response.output, scope)];
    const { container, condition = true } = typeof response.iterate === 'string' ? { container: response.iterate } : response.iterate;
    const items = render(container, scope);
    if (!Array.isArray(items)) throw new Error(`${container} is no array`);
    return items.filter((item) => render(condition, { ...scope, item })).map((item) => render(response.output, { ...scope, item }));
}

/** The error that a response is: the entry of its status replaces the general one. */
export function raised(directive, scope) {
    const entry = directive[scope.statusCode] ?? directive;
    return new MakeError(render(entry.type, scope), render(entry.message, scope));
}

function sanitized(record, paths) {
    const copy = structuredClone(record);
    for (const p of paths) {
        const names = p.split('.');
        const last = names.pop();
        const holder = names.reduce((v, k) => v?.[k], copy);
        if (holder && last in holder) holder[last] = '...';
    }
    return JSON.stringify(copy);
}
