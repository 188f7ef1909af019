import { createHmac, timingSafeEqual } from 'crypto';

// A delivery older than this is a repeat of somebody else's.
const TOLERANCE_SECONDS = 5 * 60;

// The secret of a subscription follows from the key, so that none has to be kept beside it.
function secretOf(apiKey: string, subscriptionId: string): Buffer {
	return createHmac('sha256', apiKey).update(`soke-connector/webhook/v1/${subscriptionId}`).digest();
}

// Tells whether a delivery carries a Standard Webhooks signature of one of the subscriptions. After
// a key was rotated there are two signatures for a day; one that fits is enough.
export function isSigned(
	apiKey: string,
	subscriptionIds: string[],
	headers: Record<string, string | string[] | undefined>,
	rawBody: Buffer | string | undefined,
	now: number = Date.now(),
): boolean {
	const id = headers['webhook-id'];
	const timestamp = headers['webhook-timestamp'];
	const signatures = headers['webhook-signature'];
	if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signatures !== 'string') return false;
	if (!(Math.abs(now / 1000 - Number(timestamp)) <= TOLERANCE_SECONDS)) return false;
	const given = signatures
		.split(' ')
		.filter((signature) => signature.startsWith('v1,'))
		.map((signature) => Buffer.from(signature.slice(3), 'base64'));
	return subscriptionIds.some((subscription) => {
		const expected = createHmac('sha256', secretOf(apiKey, subscription))
			.update(`${id}.${timestamp}.`)
			.update(rawBody ?? '')
			.digest();
		return given.some((signature) => signature.length === expected.length && timingSafeEqual(signature, expected));
	});
}
