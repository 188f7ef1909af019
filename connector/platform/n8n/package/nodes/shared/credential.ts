import { createHash } from 'crypto';
import type { IExecuteFunctions, IHookFunctions, IPollFunctions, IWebhookFunctions } from 'n8n-workflow';

// What the parts of a credential cannot hold, such as a line break or a zero-width space that came
// along when they were pasted.
const foreign = { apiKey: '[^A-Za-z0-9_-]', accountId: '[^A-Za-z0-9_.:-]' };

type Part = keyof typeof foreign;

// A part as n8n sends it. Signatures are made with what clean returns, so that both are the same.
export function expression(part: Part): string {
	return `={{($credentials.${part} || "").replace(/${foreign[part]}/g, "")}}`;
}

function clean(part: Part, entered: unknown): string {
	return String(entered ?? '').replace(new RegExp(foreign[part], 'g'), '');
}

export interface Connection {
	url: string;
	apiKey: string;
	// Tells one connection from another without giving its key away.
	fingerprint: string;
	// The same of the connector and the account alone, which a new key of the user's leaves as they are.
	home: string;
}

function hash(...parts: string[]): string {
	return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

// The connection that the node's credential holds now. Editing it tells the node nothing: who keeps
// something that belongs to a connection keeps its fingerprint, too.
export async function connection(
	this: IExecuteFunctions | IHookFunctions | IPollFunctions | IWebhookFunctions,
): Promise<Connection> {
	const entered = await this.getCredentials('sokeApi');
	const url = String(entered.baseUrl).replace(/\/+$/, '');
	const apiKey = clean('apiKey', entered.apiKey);
	const accountId = clean('accountId', entered.accountId);
	return { url, apiKey, fingerprint: hash(url, accountId, apiKey), home: hash(url, accountId) };
}
