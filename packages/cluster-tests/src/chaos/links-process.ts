/** The links in a process of their own: a busy tester must not slow the network down. It ends when its parent does. */
import { type LinkState, Links, type ProxiedMember } from "./links.ts";

export type LinkCommand =
	| { readonly do: "add"; readonly member: ProxiedMember }
	| { readonly do: "identify"; readonly id: string; readonly name: string }
	| { readonly do: "set"; readonly from: string; readonly to: string; readonly state: Partial<LinkState> }
	| { readonly do: "reset"; readonly a: string; readonly b: string }
	| { readonly do: "heal" };

/** What comes in: a command with a number; what goes out: that number, with an error's text or null. */
export interface NumberedCommand {
	readonly number: number;
	readonly command: LinkCommand;
}
export interface CommandDone {
	readonly number: number;
	readonly error: string | null;
}

const links = new Links(process.argv[2] ?? "");

async function obey(command: LinkCommand): Promise<void> {
	switch (command.do) {
		case "add":
			await links.add(command.member);
			return;
		case "identify":
			return links.identify(command.id, command.name);
		case "set":
			return links.set(command.from, command.to, command.state);
		case "reset":
			return links.reset(command.a, command.b);
		case "heal":
			return links.heal();
	}
}

process.on("message", ({ number, command }: NumberedCommand) => {
	obey(command).then(
		() => process.send?.({ number, error: null } satisfies CommandDone),
		(error: Error) => process.send?.({ number, error: error.message } satisfies CommandDone),
	);
});
process.on("disconnect", () => process.exit(0));
