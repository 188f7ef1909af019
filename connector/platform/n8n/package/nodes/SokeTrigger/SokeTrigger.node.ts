import type {
	IDataObject,
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

interface Subscription {
	id: string;
	unsubscribeToken?: string;
}

// An editor's subscription must never stand in for the one of the published workflow.
const slot = (webhookUrl: string) => (webhookUrl.includes('/webhook-test/') ? 'test' : 'production');

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
				const path = `${chosen.call(this).path}/subscriptions?targetUrl=${encodeURIComponent(url)}`;
				const found = await call.call(this, { method: 'GET', path, accept: [404] });
				if (found.statusCode === 404) return false;
				const kept = this.getWorkflowStaticData('node');
				const known = kept[slot(url)] as unknown as Subscription | undefined;
				const { id } = found.body as unknown as Subscription;
				if (known?.id !== id) kept[slot(url)] = { id };
				return true;
			},

			async create(this: IHookFunctions): Promise<boolean> {
				const url = this.getNodeWebhookUrl('default') as string;
				const { path, input } = watch.call(this);
				const body = { ...input, targetUrl: url, ...(slot(url) === 'test' ? { test: true } : {}) };
				const made = await call.call(this, { method: 'POST', path: `${path}/subscriptions`, body });
				const { id, unsubscribeToken } = made.body as unknown as Subscription;
				this.getWorkflowStaticData('node')[slot(url)] = { id, unsubscribeToken };
				return true;
			},

			// The token ends the subscription, so that a workflow can be switched off after its key
			// was revoked.
			async delete(this: IHookFunctions): Promise<boolean> {
				const url = this.getNodeWebhookUrl('default') as string;
				const kept = this.getWorkflowStaticData('node');
				const known = kept[slot(url)] as unknown as Subscription | undefined;
				if (!known) return true;
				const path = `${chosen.call(this).path}/subscriptions/${known.id}`;
				if (known.unsubscribeToken) {
					await this.helpers.httpRequest({
						method: 'DELETE',
						url: `${await baseUrl.call(this)}/v1/n8n${path}`,
						headers: { 'X-Unsubscribe-Token': known.unsubscribeToken },
						json: true,
					});
				} else {
					await call.call(this, { method: 'DELETE', path, accept: [404] });
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
		if (body.type === 'trigger.paused') {
			// It has been taken; that the run fails is what its user is meant to see.
			response.status(200).json({ received: true });
			throw apiError(this.getNode(), body.error as unknown as Failure, { statusCode: 403, body });
		}
		const events = (Array.isArray(body.events) ? body.events : [body]) as IDataObject[];
		const items: INodeExecutionData[] = events.map((json) => ({ json }));
		return { workflowData: [items] };
	}
}
