import type {
	IDataObject,
	IExecuteFunctions,
	IHookFunctions,
	IHttpRequestMethods,
	INode,
	IPollFunctions,
	IWebhookFunctions,
	JsonObject,
} from 'n8n-workflow';
import { NodeApiError } from 'n8n-workflow';

export interface Failure {
	code: string;
	title: string;
	message: string;
	// Seconds after which the same call may pass.
	retryAfter?: number | null;
}

interface Answer {
	statusCode?: number;
	body: unknown;
}

interface Call {
	method: IHttpRequestMethods;
	path: string;
	body?: IDataObject;
	headers?: IDataObject;
	itemIndex?: number;
	// Statuses that are an answer and no failure.
	accept?: number[];
}

type Caller = IExecuteFunctions | IHookFunctions | IPollFunctions;

export async function baseUrl(this: Caller | IWebhookFunctions): Promise<string> {
	const { baseUrl: url } = await this.getCredentials('sokeApi');
	return String(url).replace(/\/+$/, '');
}

// Calls the connector. Status errors are left to us: what n8n would make of them says less than the
// connector does.
export async function call(this: Caller, { method, path, body, headers, itemIndex, accept = [] }: Call): Promise<Answer> {
	const answer = (await this.helpers.httpRequestWithAuthentication.call(this, 'sokeApi', {
		method,
		url: `${await baseUrl.call(this)}/v1/n8n${path}`,
		headers,
		body,
		json: true,
		returnFullResponse: true,
		ignoreHttpStatusErrors: true,
	})) as Answer;
	const status = answer.statusCode ?? 0;
	if (accept.includes(status) || (status < 400 && typeof answer.body === 'object')) return answer;
	const failure = (answer.body as { error?: Failure } | undefined)?.error;
	throw apiError(this.getNode(), failure, answer, itemIndex, 'getWebhookName' in this);
}

// A failure as n8n shows it: what happened above, what to do about it below. Where n8n shows one
// line only, as when a trigger is switched on, that line is what to do.
export function apiError(node: INode, failure: Failure | undefined, answer: Answer, itemIndex?: number, oneLine = false): NodeApiError {
	const { title, message, retryAfter } = failure ?? {
		title: 'The Soke connector gave no answer',
		message: 'Check the Connector URL in the credential, and that the connector runs there.',
	};
	const cause = answer.statusCode === 429 ? 'rate-limited' : 'temporarily-unavailable';
	return new NodeApiError(node, { body: answer.body } as JsonObject, {
		message: oneLine ? message : title,
		description: message,
		itemIndex,
		...(answer.statusCode ? { httpCode: String(answer.statusCode) } : {}),
		...(retryAfter ? { failure: { cause, retryAfterMs: retryAfter * 1000 } } : {}),
	});
}
