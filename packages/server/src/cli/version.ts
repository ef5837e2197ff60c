/** The levels that tools ask for, and the text of `--version`. */

/** The level of etcd's API and behaviour that flotilla offers: what tools compare with their own. */
export const ETCD_LEVEL = "3.6.14";
export const FLOTILLA_VERSION = "0.1.0";

/**
 * The four lines of `etcd --version`, in its order, since tools cut the first one apart. The others say truthfully what runs
 * here: there is no commit of etcd and no Go in it.
 */
export function versionText(platform: NodeJS.Platform, architecture: string, nodeVersion: string): string {
	const arch = architecture === "x64" ? "amd64" : architecture;
	return [
		`etcd Version: ${ETCD_LEVEL}`,
		`Git SHA: flotilla-${FLOTILLA_VERSION}`,
		`Go Version: none (Node.js ${nodeVersion})`,
		`Go OS/Arch: ${platform}/${arch}`,
		"",
	].join("\n");
}
