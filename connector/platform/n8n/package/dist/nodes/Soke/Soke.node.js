"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.Soke = void 0;
const crypto_1 = require("crypto");
const n8n_workflow_1 = require("n8n-workflow");
const catalogue_1 = require("../shared/catalogue");
const connector_1 = require("../shared/connector");
const properties_1 = require("../shared/properties");
const resources = [
    ...new Map(catalogue_1.actions.map((a) => [a.resource, { name: a.resourceName, value: a.resource }])).values(),
];
function operations(resource) {
    const options = catalogue_1.actions
        .filter((a) => a.resource === resource)
        .map((a) => ({ name: a.name, value: a.key, action: a.action, description: a.description }));
    return (0, properties_1.menu)('Operation', 'operation', options, { resource: [resource] });
}
function fields(action) {
    const show = { resource: [action.resource], operation: [action.key] };
    const switches = [];
    if (action.list) {
        switches.push({
            displayName: `Split ${action.listName}`,
            name: 'split',
            type: 'boolean',
            default: false,
            description: `Whether to return each of the ${action.listName.toLowerCase()} as an item of its own`,
            displayOptions: { show },
        });
    }
    switches.push({
        displayName: 'Simplify',
        name: 'simplify',
        type: 'boolean',
        default: true,
        description: 'Whether to return a simplified version of the response instead of the raw data',
        displayOptions: { show },
    });
    const properties = (0, properties_1.form)(action.fields, show, action.instead);
    const folded = properties.filter((p) => p.type === 'collection');
    return [...properties.filter((p) => p.type !== 'collection'), ...switches, ...folded];
}
class Soke {
    constructor() {
        this.description = {
            displayName: 'Soke',
            name: 'soke',
            icon: { light: 'file:../../icons/soke.svg', dark: 'file:../../icons/soke.dark.svg' },
            group: ['transform'],
            version: 1,
            subtitle: '={{$parameter["operation"] + ": " + $parameter["resource"]}}',
            description: 'Research keywords and ask the assistant of Soke, for YouTube creators',
            defaults: { name: 'Soke' },
            usableAsTool: true,
            inputs: [n8n_workflow_1.NodeConnectionTypes.Main],
            outputs: [n8n_workflow_1.NodeConnectionTypes.Main],
            credentials: [{ name: 'sokeApi', required: true }],
            properties: [
                (0, properties_1.menu)('Resource', 'resource', resources),
                ...resources.map((r) => operations(r.value)),
                ...catalogue_1.actions.flatMap(fields),
            ],
        };
    }
    async execute() {
        var _a;
        const results = [];
        for (let i = 0; i < this.getInputData().length; i++) {
            try {
                for (const json of await run.call(this, i))
                    results.push({ json, pairedItem: { item: i } });
            }
            catch (error) {
                if (!this.continueOnFail())
                    throw new n8n_workflow_1.NodeApiError(this.getNode(), error, { itemIndex: i });
                results.push({ json: { error: (_a = error.description) !== null && _a !== void 0 ? _a : error.message }, pairedItem: { item: i } });
            }
        }
        return [results];
    }
}
exports.Soke = Soke;
async function run(i) {
    const key = this.getNodeParameter('operation', i);
    const action = catalogue_1.actions.find((a) => a.key === key);
    if (!action)
        throw new n8n_workflow_1.NodeOperationError(this.getNode(), `There is no operation ${key}`, { itemIndex: i });
    const body = (0, properties_1.input)(action.fields, (name) => this.getNodeParameter(name, i, undefined), action.instead);
    const headers = idempotency.call(this, i, body);
    const answer = await connector_1.call.call(this, { method: 'POST', path: `/actions/${action.key}`, body, headers, itemIndex: i });
    const raw = answer.body;
    const json = this.getNodeParameter('simplify', i, true) ? (0, properties_1.simplified)(raw, action.output) : raw;
    if (action.list && this.getNodeParameter('split', i, false))
        return json[action.list];
    return [json];
}
function idempotency(i, body) {
    const execution = this.getExecutionId();
    if (!execution)
        return {};
    const { $runIndex: run } = this.getWorkflowDataProxy(i);
    const name = JSON.stringify([this.getInstanceBaseUrl(), execution, this.getNode().id, run, i, body]);
    return { 'Idempotency-Key': (0, crypto_1.createHash)('sha256').update(name).digest('hex') };
}
