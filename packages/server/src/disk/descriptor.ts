import * as fs from "node:fs";
import { assert } from "@flotilla/base";

type FsError = NodeJS.ErrnoException | null;
type User = (error: FsError, fd: number, release: () => void) => void;

/** A file descriptor that is opened at its first use and closed when the last user has let go. */
export class Descriptor {
	private readonly path: string;
	private readonly flags: number;
	private fd = -1;
	private opening = false;
	private users = 0;
	private readonly waiting: User[] = [];
	private closing: ((error: FsError) => void) | null = null;

	constructor(path: string, flags: number) {
		this.path = path;
		this.flags = flags;
	}

	use(user: User): void {
		assert(this.closing === null, "a descriptor that is being closed has no new users");
		this.users++;
		if (this.fd >= 0) {
			user(null, this.fd, this.release);
			return;
		}
		this.waiting.push(user);
		if (this.opening) return;
		this.opening = true;
		fs.open(this.path, this.flags, (error, fd) => {
			this.opening = false;
			if (error === null) this.fd = fd;
			for (const each of this.waiting.splice(0)) each(error, error === null ? fd : -1, this.release);
		});
	}

	close(done: (error: FsError) => void): void {
		this.closing = done;
		if (this.users === 0) this.end();
	}

	private readonly release = (): void => {
		this.users--;
		assert(this.users >= 0, "a descriptor is released once by each user");
		if (this.users === 0 && this.closing !== null) this.end();
	};

	private end(): void {
		const done = this.closing as (error: FsError) => void;
		if (this.fd < 0) {
			done(null);
			return;
		}
		const { fd } = this;
		this.fd = -1;
		fs.close(fd, done);
	}
}
