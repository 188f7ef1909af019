import type { IDataObject, IHookFunctions, INodeProperties, IPollFunctions, IWebhookFunctions } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';
import { triggers, type Trigger } from './catalogue';
import { form, input, menu, merge } from './properties';

type Watcher = IHookFunctions | IPollFunctions | IWebhookFunctions;

// The form of both trigger nodes: which event, and what to watch.
export function eventProperties(): INodeProperties[] {
	return [
		menu('Event', 'event', triggers.map((t) => ({ name: t.title, value: t.key, description: t.description }))),
		...merge(
			triggers.flatMap((t) => form(t.fields, { event: [t.key] })),
			'event',
		),
	];
}

// The event that was chosen, and where it is at the connector.
export function chosen(this: Watcher): { trigger: Trigger; path: string } {
	const key = this.getNodeParameter('event') as string;
	const trigger = triggers.find((t) => t.key === key);
	if (!trigger) throw new NodeOperationError(this.getNode(), `There is no event ${key}`);
	return { trigger, path: `/triggers/${key}` };
}

// What to watch, as the connector takes it.
export function watch(this: Watcher): { path: string; input: IDataObject } {
	const { trigger, path } = chosen.call(this);
	return { path, input: input(trigger.fields, (name) => this.getNodeParameter(name, undefined)) };
}
