// Generated from packages/api/proto by packages/api/scripts/generate.ts. Do not edit: run `npm run generate`.

export interface UserAddOptions {
	readonly noPassword: boolean;
}

export interface User {
	readonly name: Uint8Array;
	readonly password: Uint8Array;
	readonly roles: readonly string[];
	readonly options: UserAddOptions | null;
}

export interface Permission {
	readonly permType: number;
	readonly key: Uint8Array;
	readonly rangeEnd: Uint8Array;
}

export interface Role {
	readonly name: Uint8Array;
	readonly keyPermission: readonly Permission[];
}
