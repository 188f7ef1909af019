import type { IDataObject, INodeExecutionData, INodeType, INodeTypeDescription, IPollFunctions } from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import { call } from '../shared/connector';
import { eventProperties, watch } from '../shared/watch';

interface Page {
	events: IDataObject[];
	cursor: string;
	hasMore: boolean;
}

export class SokePollingTrigger implements INodeType {
	description: INodeTypeDescription = {
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
		outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'sokeApi', required: true }],
		properties: eventProperties(),
	};

	// The connector answers from its own store, so that polling costs no credits. The first poll only
	// marks the place to go on from.
	async poll(this: IPollFunctions): Promise<INodeExecutionData[][] | null> {
		const { path, input } = watch.call(this);
		if (this.getMode() === 'manual') return await examples.call(this, path, input);
		const kept = this.getWorkflowStaticData('node');
		const asked = JSON.stringify([path, input]);
		if (kept.asked !== asked) {
			const { cursor } = await page.call(this, path, { ...input, limit: 1 });
			Object.assign(kept, { asked, cursor });
			return null;
		}
		const items: INodeExecutionData[] = [];
		for (let more = true; more; ) {
			const found = await page.call(this, path, { ...input, cursor: kept.cursor });
			// A watch that had not run yet begins with what was already there, which is no news.
			items.push(...found.events.filter((event) => !event.baseline).map((json) => ({ json })));
			kept.cursor = found.cursor;
			more = found.hasMore;
		}
		return items.length > 0 ? [items] : null;
	}
}

async function page(this: IPollFunctions, path: string, body: IDataObject): Promise<Page> {
	return (await call.call(this, { method: 'POST', path: `${path}/poll`, body })).body as unknown as Page;
}

// What the editor shows: the newest events there are, else the trigger's sample.
async function examples(this: IPollFunctions, path: string, input: IDataObject): Promise<INodeExecutionData[][]> {
	const { events } = await page.call(this, path, { ...input, limit: 3 });
	const shown = events.length > 0 ? events : (await call.call(this, { method: 'GET', path: `${path}/sample` })).body;
	return [(shown as IDataObject[]).map((json) => ({ json }))];
}
