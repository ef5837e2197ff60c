/** The value of `grpc-timeout` (gRPC over HTTP/2: up to eight digits and a unit). */

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
/** The gateway's is looser: with a sign, and as many digits as 64 bits hold. A time before now has passed. */
const GATEWAY_TIMEOUT = /^([+-]?\d{1,18})([HMSmun])$/;

/** Longest time that a timer of Node can hold; a deadline beyond it is as good as none. */
export const TIMER_MS_MAX = 0x7fff_ffff;

/** NaN for what is no timeout. */
export function timeoutMs(text: string): number {
	return read(TIMEOUT, text);
}

export function gatewayTimeoutMs(text: string): number {
	return read(GATEWAY_TIMEOUT, text);
}

function read(form: RegExp, text: string): number {
	const parts = form.exec(text);
	return parts === null ? Number.NaN : Number(parts[1]) * (UNIT_MS[parts[2] as string] as number);
}
