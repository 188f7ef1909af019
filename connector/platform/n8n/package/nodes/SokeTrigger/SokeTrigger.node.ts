import type {
	IDataObject,
	IExecuteFunctions,
	IHookFunctions,
	INodeExecutionData,
	INodeType,
	INodeTypeDescription,
	IWebhookFunctions,
	IWebhookResponseData,
} from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import { apiError, baseUrl, call, type Failure } from '../shared/connector';
import { chosen, eventProperties, watch } from '../shared/watch';
import { isSigned } from './signature';

// What is kept of a subscription. No secret: the token can only end it.
interface Subscription {
	id: string;
	unsubscribeToken: string;
	// What was asked for, to see that it is still what the form says.
	asked: string;
}

interface State {
	id: string;
	state: 'active' | 'paused' | 'ended';
	reason: string | null;
}

// What a delivery is called that has no events and says why.
const PAUSED = 'trigger.paused';

// An editor's subscription must never stand in for the one of the published workflow.
const slot = (webhookUrl: string) => (webhookUrl.includes('/webhook-test/') ? 'test' : 'production');

// The subscription that posts to a URL, if the connector has one.
async function find(this: IHookFunctions, url: string): Promise<State | undefined> {
	const path = `${chosen.call(this).path}/subscriptions?targetUrl=${encodeURIComponent(url)}`;
	const found = await call.call(this, { method: 'GET', path, accept: [404] });
	return found.statusCode === 404 ? undefined : (found.body as State);
}

// Tells whether a subscription that was found can stay as it is. If not, n8n calls create, which
// renews the same one: with another input, or after n8n itself was away for so long that deliveries
// were given up. What Soke has paused goes on by itself.
function isWell(found: State, known: Subscription | undefined, asked: string): boolean {
	if (known?.id !== found.id || known.asked !== asked) return false;
	return found.state !== 'ended' && found.reason !== 'TARGET_FAILING';
}

export class SokeTrigger implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Soke Trigger',
		name: 'sokeTrigger',
		icon: { light: 'file:../../icons/soke.svg', dark: 'file:../../icons/soke.dark.svg' },
		group: ['trigger'],
		version: 1,
		subtitle: '={{$parameter["event"]}}',
		description: 'Starts the workflow when a scheduled keyword research of Soke finds something new',
		defaults: { name: 'Soke Trigger' },
		inputs: [],
		outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'sokeApi', required: true }],
		webhooks: [{ name: 'default', httpMethod: 'POST', responseMode: 'onReceived', path: 'webhook' }],
		properties: eventProperties(),
	};

	webhookMethods = {
		default: {
			async checkExists(this: IHookFunctions): Promise<boolean> {
				const url = this.getNodeWebhookUrl('default') as string;
				const { path, input } = watch.call(this);
				const found = await find.call(this, url);
				const known = this.getWorkflowStaticData('node')[slot(url)] as unknown as Subscription | undefined;
				return found !== undefined && isWell(found, known, JSON.stringify([path, input]));
			},

			async create(this: IHookFunctions): Promise<boolean> {
				const url = this.getNodeWebhookUrl('default') as string;
				const { path, input } = watch.call(this);
				const test = slot(url) === 'test' || this.getMode() === 'manual';
				const body = { ...input, targetUrl: url, ...(test ? { test } : {}) };
				const made = await call.call(this, { method: 'POST', path: `${path}/subscriptions`, body });
				const { id, unsubscribeToken } = made.body as unknown as Subscription;
				const asked = JSON.stringify([path, input]);
				this.getWorkflowStaticData('node')[slot(url)] = { id, unsubscribeToken, asked };
				return true;
			},

			// The token ends the subscription, so that a workflow can be switched off after its key
			// was revoked. Without one, what was left behind is looked for: it would go on costing.
			async delete(this: IHookFunctions): Promise<boolean> {
				const url = this.getNodeWebhookUrl('default') as string;
				const path = `${chosen.call(this).path}/subscriptions`;
				const kept = this.getWorkflowStaticData('node');
				const known = kept[slot(url)] as unknown as Subscription | undefined;
				if (known) {
					await this.helpers.httpRequest({
						method: 'DELETE',
						url: `${await baseUrl.call(this)}/v1/n8n${path}/${known.id}`,
						headers: { 'X-Unsubscribe-Token': known.unsubscribeToken },
						json: true,
					});
				} else {
					const found = await find.call(this, url);
					if (found) await call.call(this, { method: 'DELETE', path: `${path}/${found.id}`, accept: [404] });
				}
				delete kept[slot(url)];
				return true;
			},
		},
	};

	async webhook(this: IWebhookFunctions): Promise<IWebhookResponseData> {
		const request = this.getRequestObject();
		const response = this.getResponseObject();
		const body = this.getBodyData() as IDataObject;
		const kept = this.getWorkflowStaticData('node');
		const ids = [body.subscriptionId, (kept.production as IDataObject)?.id, (kept.test as IDataObject)?.id]
			.filter((id): id is string => typeof id === 'string');
		const { apiKey } = await this.getCredentials('sokeApi');
		if (!isSigned(String(apiKey), ids, request.headers, request.rawBody)) {
			response.status(401).json({ error: 'The signature does not fit the key of this credential.' });
			return { noWebhookResponse: true };
		}
		if (body.type === PAUSED) return { workflowData: [[{ json: body }]] };
		const events = (Array.isArray(body.events) ? body.events : [body]) as IDataObject[];
		return { workflowData: [events.map((json) => ({ json }))] };
	}

	// n8n begins a run here with what webhook returned, when the connector has its answer. A run that
	// tells why events have stopped fails in its user's sight; had webhook failed, the connector would
	// take it for a delivery to repeat.
	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const items = this.getInputData();
		const told = items.find(({ json }) => json.type === PAUSED)?.json;
		if (told) throw apiError(this.getNode(), told.error as unknown as Failure, { body: told });
		return [items];
	}
}
