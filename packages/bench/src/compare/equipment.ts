/** What members of flotilla are measured with, to see what it costs: users, TLS, and somebody who reads the metrics. */
import { etcdserverpb as pb } from "@flotilla/api";
import { type Access, OPEN_ACCESS } from "../client/access.ts";
import { Target } from "../client/target.ts";

export const FEATURES = ["auth", "tls", "metrics"] as const;
export type Feature = (typeof FEATURES)[number];

/** None: members as they are. */
export type Equipment = ReadonlySet<Feature>;

export const PLAIN: Equipment = new Set();
const PLAIN_NAME = "plain";
const USER = { name: "bench", password: "bench" };
const ADMIN = { name: "root", password: "root" };
const ALL_KEYS = { permType: 2, key: Buffer.of(0), rangeEnd: Buffer.of(0) } as const;

export function nameOf(equipment: Equipment): string {
	return equipment.size === 0 ? PLAIN_NAME : [...equipment].join("+");
}

/** `plain`, or features joined by `+`; null for anything else. */
export function readEquipment(text: string): Equipment | null {
	if (text === PLAIN_NAME) return PLAIN;
	const parts = text.split("+");
	const features = FEATURES.filter((feature) => parts.includes(feature));
	return features.length === parts.length ? new Set(features) : null;
}

/** Certificates that the members make: nobody vouches for them, and what is sent is encrypted as with any other. */
export function flagsOf(equipment: Equipment): string[] {
	return [
		...(equipment.has("tls") ? ["--auto-tls", "--peer-auto-tls"] : []),
		...(equipment.has("metrics") ? ["--metrics", "extensive"] : []),
	];
}

export function accessOf(equipment: Equipment): Access {
	return { tls: { ...OPEN_ACCESS.tls, trustAnybody: equipment.has("tls") }, user: equipment.has("auth") ? USER : null };
}

/** Demands logins. The load's user may read and write every key by a permission, as users do; root would not be asked for one. */
export async function demandLogins(endpoints: readonly string[], access: Access): Promise<void> {
	const target = new Target(endpoints, { ...access, user: null });
	const ask = (method: string, message: Uint8Array): Promise<Buffer> => target.ask(`/etcdserverpb.Auth/${method}`, message);
	try {
		for (const { name, password } of [ADMIN, USER]) await ask("UserAdd", pb.AuthUserAddRequest.encode({ name, password }));
		await ask("UserGrantRole", pb.AuthUserGrantRoleRequest.encode({ user: ADMIN.name, role: "root" }));
		await ask("RoleAdd", pb.AuthRoleAddRequest.encode({ name: USER.name }));
		await ask("RoleGrantPermission", pb.AuthRoleGrantPermissionRequest.encode({ name: USER.name, perm: ALL_KEYS }));
		await ask("UserGrantRole", pb.AuthUserGrantRoleRequest.encode({ user: USER.name, role: USER.name }));
		await ask("AuthEnable", pb.AuthEnableRequest.encode({}));
	} finally {
		target.close();
	}
}
