/** Who makes a request, as the door found out: it travels with the request and is judged again where it is applied. */
export interface Caller {
	/** Empty: nobody in particular. */
	readonly user: string;
	/** Of the auth state that the caller's credential was issued or checked under. 0: no credential. */
	readonly authRevision: number;
}

export const NOBODY: Caller = { user: "", authRevision: 0 };

/** The member on its own account: no client can pass for it, since every user has a name and revisions never get there. */
export const MEMBER_ITSELF: Caller = { user: "", authRevision: Number.MAX_SAFE_INTEGER };

/** Why a caller may not do something, or a change of users and roles was not made. All are definite. */
export type AuthFault =
	| "userEmpty"
	| "userExists"
	| "userNotFound"
	| "roleEmpty"
	| "roleExists"
	| "roleNotFound"
	| "roleNotGranted"
	| "permissionNotGiven"
	| "permissionNotGranted"
	| "permissionDenied"
	| "rootUserNotExist"
	| "rootRoleNotExist"
	| "invalidAuthManagement"
	| "authNotEnabled"
	| "authOldRevision";
