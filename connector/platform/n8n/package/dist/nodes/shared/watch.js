"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.eventProperties = eventProperties;
exports.chosen = chosen;
exports.watch = watch;
const n8n_workflow_1 = require("n8n-workflow");
const catalogue_1 = require("./catalogue");
const properties_1 = require("./properties");
function eventProperties() {
    return [
        (0, properties_1.menu)('Event', 'event', catalogue_1.triggers.map((t) => ({ name: t.title, value: t.key, description: t.description }))),
        ...(0, properties_1.merge)(catalogue_1.triggers.flatMap((t) => (0, properties_1.form)(t.fields, { event: [t.key] })), 'event'),
    ];
}
function chosen() {
    const key = this.getNodeParameter('event');
    const trigger = catalogue_1.triggers.find((t) => t.key === key);
    if (!trigger)
        throw new n8n_workflow_1.NodeOperationError(this.getNode(), `There is no event ${key}`);
    return { trigger, path: `/triggers/${key}` };
}
function watch() {
    const { trigger, path } = chosen.call(this);
    return { path, input: (0, properties_1.input)(trigger.fields, (name) => this.getNodeParameter(name, undefined)) };
}
