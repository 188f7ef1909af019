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
import { apiError, call, end, type Failure } from '../shared/connector';
import { connection } from '../shared/credential';
import { chosen, eventProperties, watch } from '../shared/watch';
import { isSigned } from './signature';

// What is kept of a subscription. No secret: the token can only end it.
interface Subscription {
	id: string;
	unsubscribeToken: string;
	// Where it can be ended, also when the credential has moved to another connector.
	url?: string;
	// What was asked for, to see that it is still what the form says.
	asked: string;
	// The connection that it was made with: its deliveries are signed with the key of that one.
	connection?: string;
	// The connector and the account alone.
	home?: string;
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

const isNotFound = (status: number) => status === 404;

// The subscription that posts to a URL, if the connector has one.
async function find(this: IHookFunctions, url: string): Promise<State | undefined> {
	const path = `${chosen.call(this).path}/subscriptions?targetUrl=${encodeURIComponent(url)}`;
	const found = await call.call(this, { method: 'GET', path, accept: isNotFound });
	return found.statusCode === 404 ? undefined : (found.body as State);
}

// Tells whether a subscription that was found can stay as it is. If not, n8n calls create, which
// renews the same one: with another input, or after n8n itself was away for so long that deliveries
// were given up. What Soke has paused goes on by itself.
function isWell(found: State, known: Subscription | undefined, asked: string): boolean {
	if (known?.id !== found.id || known.asked !== asked) return false;
	return found.state !== 'ended' && found.reason !== 'TARGET_FAILING';
}

// Makes a subscription, or renews the one that this connection has for the same URL.
async function subscribe(this: IHookFunctions | IWebhookFunctions, targetUrl: string, test = false): Promise<Subscription> {
	const { path, input } = watch.call(this);
	const { url, fingerprint, home } = await connection.call(this);
	const body = { ...input, targetUrl, ...(test ? { test } : {}) };
	const made = await call.call(this, { method: 'POST', path: `${path}/subscriptions`, body });
	const { id, unsubscribeToken } = made.body as Subscription;
	const at = `${url}/v1/n8n${path}/subscriptions/${id}`;
	return { id, unsubscribeToken, url: at, asked: JSON.stringify([path, input]), connection: fingerprint, home };
}

// Ends a subscription with its token, so that a workflow can be switched off after its key was
// revoked.
async function unsubscribe(this: IHookFunctions | IWebhookFunctions, known: Subscription): Promise<void> {
	const { url } = await connection.call(this);
	const at = known.url ?? `${url}/v1/n8n${chosen.call(this).path}/subscriptions/${known.id}`;
	await end.call(this, at, known.unsubscribeToken);
}

// Ends what was made with another connection, or it would go on costing; where its connector is gone
// there is nothing to end.
async function leave(this: IHookFunctions | IWebhookFunctions, known: Subscription): Promise<void> {
	try {
		await unsubscribe.call(this, known);
	} catch (error) {
		this.logger.warn(`The former subscription ${known.id} could not be ended: ${error.message}`);
	}
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
			// What was made with another connection is not looked for with this one.
			async checkExists(this: IHookFunctions): Promise<boolean> {
				const url = this.getNodeWebhookUrl('default') as string;
				const kept = this.getWorkflowStaticData('node');
				const known = kept[slot(url)] as unknown as Subscription | undefined;
				const { fingerprint } = await connection.call(this);
				if (known?.connection && known.connection !== fingerprint) {
					await leave.call(this, known);
					delete kept[slot(url)];
					return false;
				}
				const { path, input } = watch.call(this);
				const found = await find.call(this, url);
				return found !== undefined && isWell(found, known, JSON.stringify([path, input]));
			},

			async create(this: IHookFunctions): Promise<boolean> {
				const url = this.getNodeWebhookUrl('default') as string;
				const test = slot(url) === 'test' || this.getMode() === 'manual';
				const made = await subscribe.call(this, url, test);
				this.getWorkflowStaticData('node')[slot(url)] = { ...made };
				return true;
			},

			// Without a token, what was left behind is looked for: it would go on costing.
			async delete(this: IHookFunctions): Promise<boolean> {
				const url = this.getNodeWebhookUrl('default') as string;
				const path = `${chosen.call(this).path}/subscriptions`;
				const kept = this.getWorkflowStaticData('node');
				const known = kept[slot(url)] as unknown as Subscription | undefined;
				if (known) {
					await unsubscribe.call(this, known);
				} else {
					const found = await find.call(this, url);
					if (found) await call.call(this, { method: 'DELETE', path: `${path}/${found.id}`, accept: isNotFound });
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
		const known = kept.production as unknown as Subscription | undefined;
		const ids = [body.subscriptionId, known?.id, (kept.test as IDataObject)?.id]
			.filter((id): id is string => typeof id === 'string');
		const { apiKey, fingerprint, home } = await connection.call(this);
		const signed = isSigned(apiKey, ids, request.headers, request.rawBody);
		if (known && known.connection !== fingerprint && this.getMode() !== 'manual') {
			if (signed && known.id === body.subscriptionId && known.home === home) {
				// A key that was rotated took its subscriptions along.
				kept.production = { ...known, connection: fingerprint };
			} else {
				// The credential was edited, and n8n asks for no new subscription by itself.
				const made = await subscribe.call(this, this.getNodeWebhookUrl('default') as string);
				kept.production = { ...made };
				if (made.id !== known.id) await leave.call(this, known);
			}
		}
		if (!signed) {
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
