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
import { connection } from './credential';

export interface Failure {
	code: string;
	title: string;
	message: string;
	// The input that the failure is about.
	field?: string | null;
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
	// Tells a failure that is an answer.
	accept?: (status: number, failure?: Failure) => boolean;
}

type Caller = IExecuteFunctions | IHookFunctions | IPollFunctions | IWebhookFunctions;

// Calls the connector. Status errors are left to us: what n8n would make of them says less than the
// connector does.
export async function call(this: Caller, { method, path, body, headers, itemIndex, accept }: Call): Promise<Answer> {
	const { url } = await connection.call(this);
	const request = { method, url: `${url}/v1/n8n${path}`, headers, body, ...whole };
	const sent = this.helpers.httpRequestWithAuthentication.call(this, 'sokeApi', request);
	return await answered.call(this, sent, { itemIndex, accept });
}

// Ends what a token of its own ends, whoever's key made it.
export async function end(this: Caller, url: string, unsubscribeToken: string): Promise<void> {
	const headers = { 'X-Unsubscribe-Token': unsubscribeToken };
	await answered.call(this, this.helpers.httpRequest({ method: 'DELETE', url, headers, ...whole }));
}

const whole = { json: true, returnFullResponse: true, ignoreHttpStatusErrors: true };

async function answered(this: Caller, sent: Promise<unknown>, { itemIndex, accept }: Partial<Call> = {}): Promise<Answer> {
	const oneLine = !('getInputData' in this);
	let answer: Answer;
	try {
		answer = (await sent) as Answer;
	} catch (error) {
		throw apiError(this.getNode(), unreachable(error), { body: {} }, itemIndex, oneLine);
	}
	const status = answer.statusCode ?? 0;
	const said = (answer.body as { error?: Failure } | undefined)?.error;
	const failure = typeof said?.message === 'string' ? said : undefined;
	if (accept?.(status, failure) || (status < 400 && typeof answer.body === 'object')) return answer;
	throw apiError(this.getNode(), failure ?? foreigner(status), answer, itemIndex, oneLine);
}

function unreachable(error: Error): Failure {
	return {
		code: 'UNREACHABLE',
		title: 'The Soke connector could not be reached',
		message: `Check the Connector URL in the Soke credential, and that the connector is running there. n8n says: ${error.message}`,
	};
}

function foreigner(status: number): Failure {
	return {
		code: 'NOT_A_CONNECTOR',
		title: 'Something other than a Soke connector answered',
		message: `Check the Connector URL in the Soke credential: what answered there, with status ${status}, is no connector or a proxy in front of one`,
	};
}

// A failure as n8n shows it: what happened above, what to do about it below. Where n8n shows one
// line only, as when a trigger is switched on, that line is what to do.
export function apiError(node: INode, failure: Failure, answer: Answer, itemIndex?: number, oneLine = false): NodeApiError {
	const { title, message, retryAfter } = failure;
	const cause = answer.statusCode === 429 ? 'rate-limited' : 'temporarily-unavailable';
	return new NodeApiError(node, { body: answer.body } as JsonObject, {
		message: oneLine ? message : title,
		description: message,
		itemIndex,
		...(answer.statusCode ? { httpCode: String(answer.statusCode) } : {}),
		...(retryAfter ? { failure: { cause, retryAfterMs: retryAfter * 1000 } } : {}),
	});
}
