import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const program = `
	const { createGrpcJsFront } = await import("./src/front/grpc-js-front.ts");
	const { DEFAULT_GRPC_OPTIONS } = await import("./src/front/front-options.ts");
	const { openClientPort } = await import("./src/front/port.ts");
	const { RawClient } = await import("./test/front/raw-client.ts");
	const handle = (call) => {
		if (call.onMessage) call.onMessage(() => { throw new Error("a bug in a stream"); });
		else throw new Error("a bug in a call");
	};
	const methods = new Map([
		["/a.B/Unary", { shape: "unary", handle }],
		["/a.B/Bidi", { shape: "stream", clientStreams: true, serverStreams: true, handle }],
	]);
	const port = await openClientPort({ addresses: [{ host: "127.0.0.1", port: 0 }], grpc: createGrpcJsFront(methods, DEFAULT_GRPC_OPTIONS), http: null });
	const client = new RawClient(port.addresses[0].port);
	await client.call(process.env.METHOD, new Uint8Array(0));
	setTimeout(() => process.exit(0), 30_000);
`;

test.each([
	["/a.B/Unary", "a bug in a call"],
	["/a.B/Bidi", "a bug in a stream"],
])("a handler of %s that throws ends the process: a bug is no answer", async (method, text) => {
	const run = promisify(execFile)(process.execPath, ["--conditions=@flotilla/source", "--input-type=module", "-e", program], {
		cwd: new URL("../..", import.meta.url),
		env: { ...process.env, METHOD: method },
		timeout: 120_000,
	});
	await expect(run).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining(text) });
});
