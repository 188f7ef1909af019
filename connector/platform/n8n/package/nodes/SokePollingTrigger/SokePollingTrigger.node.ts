import type { IDataObject, INodeExecutionData, INodeType, INodeTypeDescription, IPollFunctions } from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import { call, type Failure } from '../shared/connector';
import { connection } from '../shared/credential';
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
	// marks the place to go on from; a place belongs to what is asked and to the connection.
	async poll(this: IPollFunctions): Promise<INodeExecutionData[][] | null> {
		const { path, input } = watch.call(this);
		if (this.getMode() === 'manual') return await examples.call(this, path, input);
		const kept = this.getWorkflowStaticData('node');
		const { fingerprint } = await connection.call(this);
		const asked = JSON.stringify([path, input, fingerprint]);
		if (kept.asked !== asked) {
			Object.assign(kept, { asked, cursor: await newest.call(this, path, input) });
			return null;
		}
		const items: INodeExecutionData[] = [];
		let cursor = kept.cursor as string;
		for (let more = true; more; ) {
			const found = await page.call(this, path, { ...input, cursor });
			if (!found) {
				cursor = await newest.call(this, path, input);
				break;
			}
			// A watch that had not run yet begins with what was already there, which is no news.
			items.push(...found.events.filter((event) => !event.baseline).map((json) => ({ json })));
			cursor = found.cursor;
			more = found.hasMore;
		}
		// Not before every page is there: what a poll that fails has found is found again.
		kept.cursor = cursor;
		return items.length > 0 ? [items] : null;
	}
}

// A page of events; undefined where the connector refuses the cursor.
async function page(this: IPollFunctions, path: string, body: IDataObject): Promise<Page | undefined> {
	const accept = (status: number, failure?: Failure) => status === 400 && failure?.field === 'cursor' && 'cursor' in body;
	const answer = await call.call(this, { method: 'POST', path: `${path}/poll`, body, accept });
	return answer.statusCode === 400 ? undefined : (answer.body as Page);
}

// The place behind the newest event.
async function newest(this: IPollFunctions, path: string, input: IDataObject): Promise<string> {
	return (await page.call(this, path, { ...input, limit: 1 }))?.cursor ?? '';
}

// What the editor shows: the newest events there are, else the trigger's sample.
async function examples(this: IPollFunctions, path: string, input: IDataObject): Promise<INodeExecutionData[][]> {
	const events = (await page.call(this, path, { ...input, limit: 3 }))?.events ?? [];
	const shown = events.length > 0 ? events : (await call.call(this, { method: 'GET', path: `${path}/sample` })).body;
	return [(shown as IDataObject[]).map((json) => ({ json }))];
}
