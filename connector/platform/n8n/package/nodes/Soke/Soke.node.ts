import { createHash } from 'crypto';
import type {
	IDataObject,
	IExecuteFunctions,
	INodeExecutionData,
	INodeProperties,
	INodePropertyOptions,
	INodeType,
	INodeTypeDescription,
	JsonObject,
} from 'n8n-workflow';
import { NodeApiError, NodeConnectionTypes, NodeOperationError } from 'n8n-workflow';
import { actions, type Action } from '../shared/catalogue';
import { call } from '../shared/connector';
import { form, input, menu, simplified } from '../shared/properties';

const resources: INodePropertyOptions[] = [
	...new Map(actions.map((a) => [a.resource, { name: a.resourceName, value: a.resource }])).values(),
];

function operations(resource: string): INodeProperties {
	const options = actions
		.filter((a) => a.resource === resource)
		.map((a) => ({ name: a.name, value: a.key, action: a.action, description: a.description }));
	return menu('Operation', 'operation', options, { resource: [resource] });
}

function fields(action: Action): INodeProperties[] {
	const show = { resource: [action.resource], operation: [action.key] };
	const switches: INodeProperties[] = [];
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
	const properties = form(action.fields, show, action.instead);
	const folded = properties.filter((p) => p.type === 'collection');
	return [...properties.filter((p) => p.type !== 'collection'), ...switches, ...folded];
}

export class Soke implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Soke',
		name: 'soke',
		icon: { light: 'file:../../icons/soke.svg', dark: 'file:../../icons/soke.dark.svg' },
		group: ['transform'],
		version: 1,
		subtitle: '={{$parameter["operation"] + ": " + $parameter["resource"]}}',
		description: 'Research keywords and ask the assistant of Soke, for YouTube creators',
		defaults: { name: 'Soke' },
		usableAsTool: true,
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'sokeApi', required: true }],
		properties: [
			menu('Resource', 'resource', resources),
			...resources.map((r) => operations(r.value as string)),
			...actions.flatMap(fields),
		],
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const results: INodeExecutionData[] = [];
		for (let i = 0; i < this.getInputData().length; i++) {
			try {
				for (const json of await run.call(this, i)) results.push({ json, pairedItem: { item: i } });
			} catch (error) {
				if (!this.continueOnFail()) throw new NodeApiError(this.getNode(), error as JsonObject, { itemIndex: i });
				results.push({ json: { error: error.description ?? error.message }, pairedItem: { item: i } });
			}
		}
		return [results];
	}
}

async function run(this: IExecuteFunctions, i: number): Promise<IDataObject[]> {
	const key = this.getNodeParameter('operation', i) as string;
	const action = actions.find((a) => a.key === key);
	if (!action) throw new NodeOperationError(this.getNode(), `There is no operation ${key}`, { itemIndex: i });
	const body = input(action.fields, (name) => this.getNodeParameter(name, i, undefined), action.instead);
	const headers = idempotency.call(this, i, body);
	const answer = await call.call(this, { method: 'POST', path: `/actions/${action.key}`, body, headers, itemIndex: i });
	const raw = answer.body as IDataObject;
	const json = this.getNodeParameter('simplify', i, true) ? simplified(raw, action.output) : raw;
	if (action.list && this.getNodeParameter('split', i, false)) return json[action.list] as IDataObject[];
	return [json];
}

// A step that n8n tries again must not be paid twice: the call is named by the run, the node, the
// item and what is asked. A loop that comes back to the node is another run of it.
function idempotency(this: IExecuteFunctions, i: number, body: IDataObject): IDataObject {
	const execution = this.getExecutionId();
	if (!execution) return {};
	const { $runIndex: run } = this.getWorkflowDataProxy(i);
	const name = JSON.stringify([this.getInstanceBaseUrl(), execution, this.getNode().id, run, i, body]);
	return { 'Idempotency-Key': createHash('sha256').update(name).digest('hex') };
}
